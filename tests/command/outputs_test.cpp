// SPDX-License-Identifier: Apache-2.0
// Row 59 of docs/bad-input.md: nothing that a run writes replaces what it reads, or something else
// that it writes.
#include "broken_model.hpp"

namespace command {
namespace {

/// A model and an earlier result, a SAM, a picture and points beside them.
struct Desk : Site {
  fs::path sam = folder / "sam";
  fs::path image = folder / "photo.png";
  fs::path points = write("points.json", "[[10, 20, 1]]");

  explicit Desk(const std::string& golden = "tied") : Site(golden) {
    fs::create_directory(sam);
    fs::copy(goldens / "sam/model.safetensors", sam);
    fs::copy(goldens / "sam/config.json", sam);
    fs::copy(wide, image);
  }
  [[nodiscard]] fs::path weights() const { return sam / "model.safetensors"; }
  /// A picture under a name that a result has.
  [[nodiscard]] fs::path picture(const fs::path& path) const {
    fs::create_directories(path.parent_path());
    fs::copy(wide, path, fs::copy_options::overwrite_existing);
    return path;
  }
  [[nodiscard]] Words segment(const Words& more) const {
    return command::segment(image, "the mug", model, out, more);
  }
  [[nodiscard]] Words sam_at(const fs::path& results, const Words& more) const {
    Words words{"sam", image, "-m", weights(), "--out", results, "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] Words sam_with(const Words& more) const { return sam_at(out, more); }

  /// It is refused so, before anything changes.
  void expect_kept(const Words& words, const Words& says) const {
    SCOPED_TRACE(testing::PrintToString(words));
    const auto before = contents(folder.path());
    expect_failure(run(words), 2, says);
    EXPECT_EQ(contents(folder.path()), before) << "something was left or changed";
  }
};

TEST(Outputs, DoNotReplaceTheModel) {
  const Desk desk;
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    desk.expect_kept(desk.segment({"--activations", desk.model / name}),
                     {"output file", name, "is an input: expected another name"});
  }
  const fs::path link = desk.folder / "link.safetensors";
  fs::create_symlink(desk.model / "model.safetensors", link);
  desk.expect_kept(desk.segment({"--activations", link}), {"link.safetensors", "is an input"});
  Words words = desk.segment({});
  *(std::find(words.begin(), words.end(), "--out") + 1) = desk.model;
  desk.expect_kept(words, {"output folder", "is a folder that is read: expected another folder"});
  const auto before = contents(desk.folder.path());
  const Ended chat = run({"chat", desk.image, "--model", desk.model, "--max-new-tokens", "1"},
                         {.input = "the mug\n/save " + desk.model.string() + "\n"});
  EXPECT_EQ(chat.status, 2);
  EXPECT_SAYS(chat.err, "is a folder that is read");
  EXPECT_EQ(contents(desk.folder.path()), before);
}

TEST(Outputs, DoNotReplaceTheBaseOfAnAdapter) {
  const Desk desk("lora");
  fs::copy(goldens / "models/untied-gqa", desk.folder / "untied-gqa");
  desk.expect_kept(desk.segment({"--activations", desk.folder / "untied-gqa/config.json"}),
                   {"config.json", "is an input"});
  fs::copy(goldens / "models/untied-gqa", desk.folder / "named");
  desk.expect_kept(desk.segment({"--base", desk.folder / "named", "--activations",
                                 desk.folder / "named/config.json"}),
                   {"config.json", "is an input"});
}

TEST(Outputs, DoNotReplaceSam) {
  const Desk desk;
  for (const fs::path& file : {desk.weights(), desk.sam / "config.json"}) {
    desk.expect_kept(desk.segment({"--refine", desk.weights(), "--activations", file}),
                     {file.filename(), "is an input"});
    desk.expect_kept(desk.sam_with({"--point", "10,20", "--activations", file}),
                     {file.filename(), "is an input"});
  }
}

TEST(Outputs, DoNotReplaceThePrompt) {
  const Desk desk;
  desk.expect_kept(desk.sam_with({"--points", desk.points, "--activations", desk.points}),
                   {"points.json", "is an input"});
  const fs::path mask = desk.picture(desk.folder / "st/mask-0.png");
  desk.expect_kept(desk.sam_at(desk.folder / "st", {"--mask", mask}),
                   {"output folder", "its mask-0.png is an input: expected another folder"});
  desk.expect_kept(desk.sam_with({"--mask", mask, "--activations", mask}), {"is an input"});
}

TEST(Outputs, DoNotReplaceTheImage) {
  for (const char* name : {"result.json", "logits.safetensors", "overlay.png", "mask-7.png",
                           "mask-3-refined.png", ".partial/photo.png", ".stamp-can-write"}) {
    const Desk desk;
    const fs::path image = desk.picture(desk.out / name);
    Words words = desk.segment({});
    words[1] = image;
    desk.expect_kept(words, {"output folder", name, "is an input: expected another folder"});
    words = desk.sam_with({"--point", "10,20"});
    words[1] = image;
    desk.expect_kept(words, {"output folder", name, "is an input: expected another folder"});
  }
  const Desk desk;
  const fs::path image = desk.picture(desk.folder / ".run.safetensors.partial");
  Words words = desk.segment({"--activations", desk.folder / "run.safetensors"});
  words[1] = image;
  desk.expect_kept(words, {"run.safetensors", "is an input"});
  for (const char* name : {"mask-x.png", "mask-1.jpg", "mask-01.png", "photo.png"}) {
    words = desk.segment({"--response", "none"});
    words[1] = desk.picture(desk.out / name);
    const std::string before = files::read(words[1]);
    expect_success(run(words));
    EXPECT_EQ(files::read(words[1]), before);
  }
}

TEST(Outputs, DoNotReplaceWhatParityReads) {
  const Desk desk;
  const fs::path recorded = goldens / "activations/tied-single.safetensors";
  const Words words{"parity", "--model", desk.model, "--activations", recorded, "--json"};
  const auto with = [](Words all, const Words& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  desk.expect_kept(with(words, {desk.model / "config.json"}), {"config.json", "is an input"});
  const fs::path copy = desk.folder / "run.safetensors";
  fs::copy(goldens / "sam/activations/cascade.safetensors", copy);
  const Words of_sam{"parity", "--model", desk.weights(), "--activations",
                     copy,     "--image", desk.image,     "--json"};
  for (const fs::path& file : {copy, desk.image, desk.weights(), desk.sam / "config.json"}) {
    desk.expect_kept(with(of_sam, {file}), {file.filename(), "is an input"});
  }
}

TEST(Outputs, DoNotReplaceEachOther) {
  const Desk desk;
  const fs::path fresh = desk.folder / "o2";  // not there yet
  for (const char* name :
       {"result.json", "mask-0.png", "overlay.png", "logits.safetensors", "mask-12-refined.png",
        ".partial", ".partial/run.safetensors", "./result.json", "x/../mask-1.png"}) {
    for (const fs::path& results : {desk.out, fresh}) {
      Words words = desk.segment({"--activations", results / name});
      *(std::find(words.begin(), words.end(), "--out") + 1) = results.string() + "/";
      const Words says{"output file", "is a result of the output folder, too"};
      desk.expect_kept(words, says);
      desk.expect_kept(desk.sam_at(results, {"--point", "10,20", "--activations", results / name}),
                       says);
    }
  }
  for (const char* name : {"o2/run.safetensors", "result.json"}) {
    Words words = desk.segment({"--response", "none", "--activations", desk.folder / name});
    *(std::find(words.begin(), words.end(), "--out") + 1) = fresh;
    expect_success(run(words));
    EXPECT_TRUE(fs::exists(desk.folder / name));
  }
}

TEST(Outputs, OfARunThatIsRefusedAreNotEvenAFolder) {
  const Desk desk;
  const fs::path empty = desk.folder / "empty";
  fs::create_directory(empty);
  const fs::path torn = desk.folder / "torn.png";
  files::write(torn, files::read(desk.image).substr(0, 100));
  const auto in = [](Words words, const fs::path& results) {
    *(std::find(words.begin(), words.end(), "--out") + 1) = results;
    return words;
  };
  for (const fs::path& results :
       {desk.folder / "fresh", desk.folder / "fresh/deep/", empty, empty / "x/../deep"}) {
    SCOPED_TRACE(results);
    for (const Words& words : {desk.segment({}), desk.sam_with({"--point", "10,20"})}) {
      const auto before = contents(desk.folder.path());
      const auto expect_nothing_left = [&](Words refused, int status, const Words& says) {
        expect_failure(run(in(std::move(refused), results)), status, says);
        EXPECT_EQ(contents(desk.folder.path()), before) << "something was left or changed";
      };
      const auto with_activations = [&](const fs::path& file) {
        Words all = words;
        all.insert(all.end(), {"--activations", file});
        return all;
      };
      expect_nothing_left(with_activations(desk.image), 2, {"is an input"});
      expect_nothing_left(with_activations(desk.folder / "none/run.safetensors"), 4, {"none"});
      Words broken = words;
      broken[1] = torn;
      expect_nothing_left(broken, 3, {"torn.png"});
    }
  }
  expect_success(run(in(desk.segment({"--response", "none"}), desk.folder / "fresh/deep")));
  EXPECT_TRUE(fs::exists(desk.folder / "fresh/deep/result.json"));
}

}  // namespace
}  // namespace command
