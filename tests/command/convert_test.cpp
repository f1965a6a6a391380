// SPDX-License-Identifier: Apache-2.0
// stamp convert and stamp info of PyTorch files, through the command: what they write, what they
// refuse (docs/bad-input.md, rows 58, 59 and 66 to 73), and that nothing half-written stays.
#include <stamp/checkpoint/tensor_file.hpp>

#include "run_command.hpp"
#include "unit/pth_files.hpp"

namespace command {
namespace {

using stamp::checkpoint::TensorFile;

const fs::path pth = goldens / "pth";

/// A folder for one test with an earlier file in it.
struct Place {
  TemporaryFolder folder;
  fs::path out = folder / "out.safetensors";
  Place() { files::write(out, "earlier"); }
  [[nodiscard]] Words convert(const fs::path& from, const Words& more = {}) const {
    Words words{"convert", from, out, "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// It fails so, and leaves the folder as it was.
  void expect_refused(const Words& words, int status, const Words& says) const {
    const auto before = contents(folder.path());
    expect_failure(run(words, {.seconds = sanitized ? 60.0 : 20.0}), status, says);
    EXPECT_EQ(contents(folder.path()), before) << "something was left or changed";
  }
};

std::map<std::string, std::string> values(const fs::path& path) {
  const TensorFile file(path);
  std::map<std::string, std::string> found;
  for (const auto& entry : file.entries()) {
    const auto bytes = file.bytes(entry);
    found[entry.name] = entry.dtype + stamp::to_string(entry.shape) +
                        std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return found;
}

/// A small SAM whose tensors differ from each other, as segment-anything or SamModel names it.
std::string sam(const char* naming) {
  const json lists = json::parse(files::read(pth / "sam_names.json"));
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors;
  for (const auto& entry : lists[naming]) tensors.emplace_back(entry[0], entry[1]);
  return files::pth_of(tensors);
}

class ConvertGood : public testing::TestWithParam<const char*> {};
TEST_P(ConvertGood, WritesWhatTheSafetensorsLibraryWrites) {
  const Place place;
  expect_success(run(place.convert(pth / GetParam())));
  EXPECT_EQ(values(place.out), values(pth / "expected.safetensors"));
  EXPECT_EQ(TensorFile(place.out).metadata().at("format"), "pt");
  EXPECT_EQ(contents(place.folder.path()).size(), 1U);
}
INSTANTIATE_TEST_SUITE_P(Files, ConvertGood,
                         testing::Values("zip.pth", "legacy.pth", "wrapped.pth",
                                         "expected.safetensors"),
                         [](const auto& test) { return fs::path(test.param).stem().string(); });

TEST(Convert, TellsProgressAndWhatIsLeftOut) {
  const Place place;
  Words words = place.convert(pth / "wrapped.pth");
  EXPECT_EQ(run(words).err, "");
  std::erase(words, "--quiet");
  const Ended told = run(words);
  expect_success(told);
  EXPECT_EQ(told.out, "");
  EXPECT_SAYS(told.err, "write ");
  EXPECT_SAYS(told.err,
              "left out, no tensors of the state dict: epoch; rate; steps; none; names; below");
}

TEST(Convert, RenamesSamThereAndBack) {
  const Place place;
  const fs::path official = files::write(place.folder / "official.pth", sam("official"));
  expect_success(run(place.convert(official, {"--names", "huggingface"})));
  const auto huggingface = values(place.out);
  EXPECT_EQ(huggingface.size(), 175U);
  EXPECT_TRUE(huggingface.contains("shared_image_embedding.positional_embedding"));
  const fs::path back = place.folder / "back.safetensors";
  expect_success(run({"convert", place.out, back, "--names", "official", "--quiet"}));
  EXPECT_EQ(values(back), values(official));
  expect_success(run({"convert", back, back.string() + "2", "--names", "official", "--quiet"}));
  EXPECT_EQ(files::read(back.string() + "2"), files::read(back));
}

TEST(Convert, RefusesNamesThatNoSamHas) {  // row 73
  const Place place;
  place.expect_refused(place.convert(pth / "zip.pth", {"--names", "official"}), 3,
                       {"zip.pth", "holds no tensor of a SAM"});
  const fs::path mixed =
      files::write(place.folder / "mixed.pth",
                   files::pth_of({{"image_encoder.pos_embed", {1}}, {"other.weight", {1}}}));
  place.expect_refused(place.convert(mixed, {"--names", "huggingface"}), 3,
                       {"mixed.pth: other.weight: no official name of SAM's"});
  expect_success(run(place.convert(mixed)));
  // SamModel's two copies of one matrix.
  const fs::path copies =
      files::write(place.folder / "copies.pth",
                   files::pth_of({{"shared_image_embedding.positional_embedding", {2}},
                                  {"prompt_encoder.shared_embedding.positional_embedding", {3}}}));
  place.expect_refused(place.convert(copies, {"--names", "official"}), 3,
                       {"prompt_encoder.shared_embedding.positional_embedding", "differs"});
}

TEST(Convert, RefusesHostileFilesAndLeavesNothing) {  // rows 66 to 72
  const Place place;
  namespace pickle = files::pickle;
  const fs::path marker = place.folder / "executed";
  const std::string attack =
      "\x80\x02"
      "cos\nsystem\n" +
      pickle::text("touch " + marker.string()) + "\x85R.";
  const auto made = [&](const char* name, const std::string& bytes) {
    return files::write(place.folder / name, bytes);
  };
  const std::string good = files::read(pth / "zip.pth");
  const auto window = [&](std::int64_t elements) {
    return files::pth(pickle::dictionary(pickle::text("w") + pickle::tensor(pickle::storage("0", 2),
                                                                            0, {elements}, {1})),
                      {{"0", "ABCDEFGH"}});
  };
  const std::vector<std::pair<fs::path, Words>> table{
      {made("attack.pth", files::pth(attack)),
       {"attack.pth: data.pkl: byte 2: GLOBAL os system is not allowed"}},
      {made("cut.pth", good.substr(0, good.size() / 2)), {"cut.pth", "truncated download?"}},
      {made("outside.pth", window(3)), {"outside.pth: w: shape (3)", "its storage has 2"}},
      {made("any.zip", files::zip({{.name = "readme.txt", .data = "x"}})),
       {"any.zip", "readme.txt"}},
      {made("any.pickle", "\x80\x02}."), {"any.pickle", "not PyTorch's"}},
      {tall, {"tall.png: this is a PNG picture; expected a file of tensors"}},
      {tied / "config.json", {"config.json: this is JSON; expected a file of tensors"}},
      {made("empty.pth", ""), {"empty.pth: header too small"}},
      {made("reserved.pth", files::pth_of({{"__metadata__", {1}}})), {"__metadata__"}},
      {pth / "script.pth", {"script.pth", "is compressed"}},
      {pth / "protocol4.pth", {"pickle protocol 4, expected 2"}},
  };
  for (const auto& [file, says] : table) {
    place.expect_refused(place.convert(file), 3, says);
    if (file.filename() != "reserved.pth") expect_failure(run({"info", file}), 3, says);
  }
  EXPECT_FALSE(fs::exists(marker));
}

TEST(Convert, SaysWhatIsWrongWithPathsAndOptions) {  // rows 58, 59, 64
  const Place place;
  const fs::path copy = place.folder / "copy.pth";
  fs::copy(pth / "zip.pth", copy);
  fs::create_symlink(copy, place.folder / "link");
  place.expect_refused({"convert", copy, copy}, 2, {"copy.pth", "is an input"});
  place.expect_refused({"convert", copy, place.folder / "link"}, 2, {"is an input"});
  place.expect_refused({"convert", copy}, 2, {"OUT"});
  place.expect_refused(place.convert(copy, {"--names", "french"}), 2, {"--names", "french"});
  place.expect_refused(place.convert(copy, {"--name", "official"}), 2, {"--name", "--names"});
  place.expect_refused(place.convert(place.folder / "none.pth"), 3, {"none.pth", "no such file"});
  place.expect_refused(place.convert(place.folder.path()), 3, {"not a regular file"});
  place.expect_refused({"convert", copy, place.folder / "none/out"}, 4,
                       {"none/out", "its folder does not exist"});
  place.expect_refused({"convert", copy, place.folder.path()}, 4, {"not a regular file"});
  place.expect_refused({"convert", copy, "/dev/null"}, 4, {"/dev/null", "not a regular file"});
}

TEST(Convert, OnAFullDiskLeavesTheEarlierFile) {  // fault 3
  const Place place;
  const auto before = contents(place.folder.path());
  const Ended ended = run(place.convert(pth / "zip.pth"), {.limits = {{RLIMIT_FSIZE, 1000}}});
  expect_failure(ended, 4, {"no space left on", "out.safetensors"});
  EXPECT_EQ(contents(place.folder.path()), before);
}

TEST(Info, TellsOfPyTorchFiles) {
  const Ended plain = run({"info", pth / "legacy.pth"});
  expect_success(plain);
  EXPECT_SAYS(plain.out, "PyTorch (legacy)");
  const Ended ended = run({"info", pth / "wrapped.pth", "--json"});
  expect_success(ended);
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["format"], "PyTorch (ZIP)");
  EXPECT_EQ(report["left_out"], json({"epoch", "rate", "steps", "none", "names", "below"}));
  EXPECT_EQ(report["types"]["BF16"]["bytes"], 6);
  EXPECT_EQ(report["tensors"][0],
            json({{"name", "0.weight"}, {"dtype", "F32"}, {"shape", {2, 3}}}));
}

}  // namespace
}  // namespace command
