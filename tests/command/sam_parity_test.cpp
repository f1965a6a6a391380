// SPDX-License-Identifier: Apache-2.0
// stamp parity on a run of SAM: it finds the first tensor that differs, and reads no file blindly.
#include "broken_model.hpp"
#include "run_command.hpp"

namespace command {
namespace {

const fs::path model = goldens / "sam/model.safetensors";
const fs::path cascade = goldens / "sam/activations/cascade.safetensors";

Words parity(const fs::path& activations, const Words& more = {}) {
  Words words{"parity", "--model", model, "--activations", activations, "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(SamParity, AgreesOnEveryBackend) {
  for (const char* backend : {"reference", "cpu"}) {
    const Ended ended = run(parity(cascade, {"--image", wide, "--backend", backend}));
    expect_success(ended);
    EXPECT_SAYS(ended.out, "30 tensors agree");
  }
  expect_success(run(parity(goldens / "sam/activations/both.f64.safetensors",
                            {"--image", tall, "--dtype", "fp64", "--tolerance", "1e-12"})));
}

TEST(SamParity, NamesTheFirstTensorThatDiffersInTheOrderOfTheComputation) {
  const TemporaryFolder folder;
  Tensors run_of(cascade);
  run_of.set("sam.image_embeddings", 5, 1e3F);  // before it by name, behind it in the computation
  run_of.set("sam.pass.0.dense", 5, 1e3F);
  const fs::path file = files::write(folder / "run.safetensors", run_of.bytes());
  const auto first = [&](const Words& more) {
    Words words{"--image", wide, "--json", folder / "rows.json"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(run(parity(file, words)).status, 1);
    return json::parse(files::read(folder / "rows.json"))["first_failure"];
  };
  EXPECT_EQ(first({}), "sam.image_embeddings");
  EXPECT_EQ(first({"--only", "sam.pass.*"}), "sam.pass.0.dense");
  run_of.set("sam.image_encoder.neck.1", 5, 1e3F);
  run_of.set("sam.image_encoder.blocks.2", 5, 1e3F);
  run_of.set("sam.dense_positions", 5, 1e3F);
  files::write(file, run_of.bytes());
  EXPECT_EQ(first({}), "sam.image_encoder.blocks.2");
}

TEST(SamParity, NeedsThePictureThatWasAskedAbout) {
  expect_failure(run(parity(cascade)), 2, {"--image", "wide.png"});
  expect_failure(run({"parity", "--activations", cascade, "--image", wide}), 2,
                 {"--model: expected the SAM checkpoint of the recorded run, found none"});
  expect_failure(run(parity(cascade, {"--image", tall})), 3,
                 {"prompt.coarse", "90 rows of 61 pixels", "62 rows of 105"});
  expect_failure(run(parity(cascade, {"--image", "none.png"})), 3, {"none.png"});
}

TEST(SamParity, RefusesRunsThatMakeNoSense) {
  const auto refused = [](const Change& change, const Words& says) {
    expect_refused(
        cascade, change, [](const fs::path& file) { return parity(file, {"--image", wide}); },
        says);
  };
  const auto shaped = [](const char* name, std::vector<int> shape) {
    return [=](Tensors& tensors) { tensors.header[name]["shape"] = shape; };
  };
  refused(told("masks", "some"), {"masks", "single or several", "some"});
  refused(told("quirks", "none"), {"quirks", "released or clean", "none"});
  refused(told("passes", "0"), {"passes", "prompt.coarse", "0"});
  refused([](Tensors& t) { t.header["__metadata__"].erase("image"); }, {"no metadata image"});
  refused(shaped("prompt.points", {6}), {"prompt.points", "(-1, 2)", "(6)"});
  refused(shaped("prompt.labels", {3, 1}), {"prompt.labels", "(3)", "(3, 1)"});
  refused(shaped("prompt.coarse", {1, 62 * 105}), {"prompt.coarse", "found 1 rows"});
  refused(
      [](Tensors& t) {
        t.header["prompt.mood"] = t.header["prompt.points"];
        t.header.erase("prompt.points");
      },
      {"prompt.mood", "expected prompt.points"});
  Words other = parity(goldens / "sam/activations/mask.safetensors", {"--image", wide});
  other[2] = fs::path(STAMP_SOURCE_DIR) / "examples/models/tiny-sam/model.safetensors";
  expect_failure(run(other), 3, {"prompt.mask", "128 x 128 logits", "found 1600"});
}

}  // namespace
}  // namespace command
