// SPDX-License-Identifier: Apache-2.0
// stamp sam and segment --refine, through the command: what they leave, and what they refuse.
#include <stamp/checkpoint/safetensors.hpp>
#include <stamp/image/read.hpp>
#include <stamp/image/write.hpp>
#include <stamp/tensor/widen_stored.hpp>

#include "run_command.hpp"

namespace command {
namespace {

const fs::path sam_file = goldens / "sam/model.safetensors";

Words sam(const fs::path& out, const Words& more) {
  Words words{"sam", wide, "--model", sam_file, "--out", out, "--threads", "1", "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

json result_of(const fs::path& folder) { return json::parse(files::read(folder / "result.json")); }

/// A mask file of the picture's size.
fs::path mask_file(const fs::path& folder, std::uint8_t shade) {
  const stamp::Image like = stamp::read_image(wide);
  const fs::path path = folder / ("mask-of-" + std::to_string(shade) + ".png");
  stamp::Bitmap mask{.width = like.width, .height = like.height};
  mask.cells.assign(static_cast<std::size_t>(like.width * like.height), shade);
  const auto bytes = stamp::encode_png(mask);
  files::write(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return path;
}

TEST(Sam, LeavesAMaskForEachKindOfPrompt) {
  const TemporaryFolder folder;
  const fs::path points = folder / "points.json";
  files::write(points, "[[10, 20, 1], [31.25, 40.5, 1], [3, 57, 0]]");
  const fs::path out = folder / "out";
  expect_success(run(sam(out, {"--points", points})));
  const std::string from_file = files::read(out / "mask-0.png");
  expect_success(run(sam(out, {"--point", "10,20", "--point", "31.25,40.5,+", "--point=3,57,-"})));
  EXPECT_EQ(files::read(out / "mask-0.png"), from_file);
  expect_success(run(sam(out, {"--box", "4,6,60,50", "--several", "--json"})));
  EXPECT_EQ(result_of(out)["masks"].size(), 3U);
  for (const char* file : {"mask-2.png", "overlay.png"}) EXPECT_TRUE(fs::exists(out / file));
}

TEST(Sam, ReadsTheNamesOfTransformersToo) {
  const TemporaryFolder folder;
  const fs::path renamed = folder / "model.safetensors";
  expect_success(run({"convert", sam_file, renamed, "--names", "huggingface", "--quiet"}));
  fs::copy(sam_file.parent_path() / "config.json", folder / "config.json");
  EXPECT_NE(files::read(renamed).find("vision_encoder.layers.0"), std::string::npos);
  Words words = sam(folder / "released", {"--point", "50,30"});
  expect_success(run(words));
  words[3] = renamed;
  words[5] = folder / "renamed";
  expect_success(run(words));
  EXPECT_EQ(files::read(folder / "renamed" / "mask-0.png"),
            files::read(folder / "released" / "mask-0.png"));
}

TEST(Sam, OpensTheFolderThatTransformersWrites) {
  const TemporaryFolder folder;
  Words words = sam(folder / "file", {"--point", "50,30"});
  expect_success(run(words));
  words[3] = sam_file.parent_path();
  words[5] = folder / "folder";
  expect_success(run(words));
  EXPECT_EQ(files::read(folder / "folder" / "mask-0.png"),
            files::read(folder / "file" / "mask-0.png"));
  expect_success(run(segment(wide, "the mug", tied, folder / "refined",
                             {"--response", "It is <|seg|>", "--threshold", "-1000000", "--refine",
                              sam_file.parent_path()})));
  EXPECT_TRUE(fs::exists(folder / "refined" / "mask-0-refined.png"));

  words[3] = folder / "empty";
  fs::create_directory(words[3]);
  expect_failure(run(words), 3, {"empty: is a folder: expected a SAM checkpoint", "no such file"});
  files::write(folder / "empty/sam_vit_b.pth", "");
  expect_failure(run(words), 3, {"model.safetensors, found", "sam_vit_b.pth, name that one"});
}

TEST(Sam, RemovesWhatAnEarlierRunLeft) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  expect_success(
      run(segment(wide, "the mug", tied, out,
                  {"--response", "<|seg|>", "--threshold", "-1000000", "--refine", sam_file})));
  EXPECT_TRUE(fs::exists(out / "mask-0-refined.png"));
  expect_success(run(sam(out, {"--point", "50,30", "--several"})));
  EXPECT_TRUE(fs::exists(out / "mask-2.png"));
  for (const char* name : {"mask-0-refined.png", "logits.safetensors"}) {
    EXPECT_FALSE(fs::exists(out / name)) << name;
  }
  expect_success(run(sam(out, {"--point", "50,30"})));
  std::vector<std::string> names;
  for (const auto& [name, bytes] : contents(out)) names.push_back(name);
  EXPECT_EQ(names, (Words{"mask-0.png", "overlay.png", "result.json"}));
}

TEST(Sam, BackendsAgree) {
  const TemporaryFolder folder;
  for (const char* backend : {"cpu", "reference"}) {
    expect_success(
        run(sam(folder / backend, {"--point", "50,30", "--several", "--backend", backend})));
  }
  for (const char* file : {"mask-0.png", "mask-1.png", "mask-2.png"}) {
    EXPECT_EQ(files::read(folder / "cpu" / file), files::read(folder / "reference" / file)) << file;
  }
}

TEST(Sam, CascadeOfAFullMaskRunsAndOfAnEmptyOneSaysThatItStays) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  const fs::path activations = folder / "run.safetensors";
  expect_success(run(sam(out, {"--mask", mask_file(folder / ".", 1), "--cascade", "3",
                               "--activations", activations})));
  EXPECT_TRUE(result_of(out)["masks"][0]["refined"].get<bool>());
  for (const char* name : {"sam.image_embeddings", "sam.pass.2.low_res_logits", "sam.pass.0.iou"}) {
    EXPECT_SAYS(files::read(activations), name);
  }
  const auto ended = run(sam(out, {"--mask", mask_file(folder / ".", 0), "--cascade", "3"}));
  expect_success(ended);
  EXPECT_SAYS(ended.err, "mask 0 stays as it was, not refined: the coarse mask is empty");
  EXPECT_FALSE(result_of(out)["masks"][0]["refined"].get<bool>());
  EXPECT_EQ(result_of(out)["masks"][0]["area"], 0);
}

TEST(Sam, RefusesWhatItCannotMean) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  const auto refuses = [&](int status, const Words& words, const Words& fragments) {
    expect_failure(run(sam(out, words)), status, fragments);
  };
  refuses(2, {}, {"expected --point, --points, --box or --mask"});
  refuses(2, {"--point", "105,3"}, {"--point", "105 x 62 pixels", "105,3"});
  refuses(2, {"--point=-1,3"}, {"--point", "-1,3"});
  refuses(2, {"--point", "nan,3"}, {"--point", "nan,3"});
  refuses(2, {"--point", "1,2,?"}, {"X,Y,+", "1,2,?"});
  refuses(2, {"--box", "5,5,5,9"}, {"--box", "5,5,5,9"});
  refuses(2, {"--box", "5,5,9"}, {"--box", "5,5,9"});
  refuses(2, {"--box", ""}, {"--box: expected X0,Y0,X1,Y1"});
  refuses(2, {"--cascade", "3"}, {"--cascade", "--mask"});
  refuses(2, {"--point", "1,2", "--backend", "cuda", "--dtype", "fp8"},
          {"--dtype fp8: expected fp32, bf16 for SAM on the cuda backend"});
  refuses(3, {"--mask", tall}, {"105 x 62 pixels", "61 x 90"});
  const fs::path points = folder / "points.json";
  const auto refuses_points = [&](const char* text, const Words& fragments) {
    files::write(points, std::string_view(text));
    refuses(3, {"--points", points}, fragments);
  };
  refuses_points("[[3, 4, 1], [200, 4, 1]]", {"points.json", "point 1", "105 x 62", "200,4"});
  refuses_points("[[3, 4]]", {"point 0", "[x, y, label]", "[3,4]"});
  refuses_points("[[3, 4, 2]]", {"point 0", "label 1 or 0", "[3,4,2]"});
  refuses_points("[[3, \"4\", 1]]", {"point 0"});
  refuses_points("{}", {"expected a list of points", "object"});
  refuses_points("[[3, 4, 1]", {"points.json"});
  expect_failure(
      run({"sam", wide, "--model", tied / "model.safetensors", "--point", "1,1", "--out", out}), 3,
      {"config.json", "must be sam"});
}

TEST(Refine, LeavesRefinedMasksBesideTheCoarseOnes) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  const Words forced{
      "--response", "It is <|seg|> and <|seg|>.", "--threshold", "-1000000", "--refine", sam_file};
  expect_success(run(segment(wide, "the mug", tied, out, forced)));
  const json result = result_of(out);
  for (const auto& mask : result["masks"]) {
    const std::string file = mask["refined_file"];
    EXPECT_TRUE(fs::exists(out / file)) << file;
    EXPECT_NE(files::read(out / file), files::read(out / mask["file"].get<std::string>()));
  }
  EXPECT_GT(result_of(out)["timings"]["refine"].get<double>(), 0);
  expect_success(run(segment(wide, "the mug", tied, out)));
  EXPECT_FALSE(fs::exists(out / "mask-0-refined.png")) << "of the earlier run";
  EXPECT_FALSE(fs::exists(out / "mask-1-refined.png"));
  expect_failure(run(segment(wide, "the mug", tied, out, {"--refine", folder / "none"})), 3,
                 {"none"});
}

TEST(Refine, RecordsWhatSamComputesForEveryMask) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  const fs::path recorded = folder / "run.safetensors";
  const Words forced{"--response",    "It is <|seg|> and <|seg|>.",
                     "--threshold",   "-1000000",
                     "--refine",      sam_file,
                     "--backend",     "reference",
                     "--activations", recorded};
  expect_success(run(segment(wide, "the mug", tied, out, forced)));
  const stamp::checkpoint::Safetensors found{recorded};
  for (const char* name :
       {"language.norm", "sam.image_embeddings", "sam.prior", "sam.pass.0.low_res_logits",
        "sam.pass.2.low_res_logits", "sam.pass.2.iou", "sam.mask.1.pass.2.low_res_logits"}) {
    EXPECT_TRUE(found.find(name)) << name;
  }
  EXPECT_FALSE(found.find("sam.mask.2.prior")) << "there are two masks";
  // The last pass is the refined mask: as many pixels as its positive logits.
  const auto stored = found.find("sam.mask.1.pass.2.masks");
  ASSERT_TRUE(stored);
  std::vector<float> logits(static_cast<std::size_t>(stored->size()));
  stamp::widen_stored(*stored, 0, stored->size(), logits.data());
  const auto picture = stamp::read_image(out / "mask-1-refined.png");
  ASSERT_EQ(picture.pixels.size(), 3 * logits.size());
  for (std::size_t at = 0; at < logits.size(); ++at) {
    ASSERT_EQ(picture.pixels[3 * at] != 0, logits[at] > 0) << at;
  }
  // STAMP's own tensors are compared; SAM's are left out, and said so.
  const auto ended = run({"parity", "--model", tied, "--activations", recorded});
  expect_success(ended);
  EXPECT_SAYS(ended.out, "tensors of SAM are left out");
}

}  // namespace
}  // namespace command
