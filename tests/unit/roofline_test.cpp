// SPDX-License-Identifier: Apache-2.0
// The work of an answer about an 896×896 image at the published sizes, counted from what the model
// asks of its backend, against the closed formulas of the published layout: a second run of the
// vision tower, an LM head on every row or keys that no query sees would show.
#include <gtest/gtest.h>

#include <stamp/stamp.hpp>

#include "unit/counting_engine.hpp"

namespace stamp::test {
namespace {

using counting::Counts;

struct Work {
  Counts vision, prefill, decode, mask;
};

/// 1,100 tokens of prompt, 50 of answer, then a mask of 1,024 cells.
Work work_of(const qwen2_vl::Config& config) {
  counting::Engine engine;
  Stamp<counting::Engine> stamp(config);
  bind(engine, stamp, counting::NoWeights(expected_tensors(stamp)));
  Dialogue<counting::Engine> dialogue(engine, stamp);
  const qwen2_vl::PatchGrid grid{1, 64, 64};
  const auto lap = [&] {
    const Counts counts = engine.counts;
    engine.counts = {};
    return counts;
  };
  Work work;
  const std::vector<float> pixels(
      static_cast<std::size_t>(grid.patches() * config.vision.patch_length()));
  dialogue.look(pixels, std::span(&grid, 1));
  work.vision = lap();
  std::vector<std::int32_t> prompt(37, 1);
  prompt.push_back(static_cast<std::int32_t>(config.tokens.vision_start));
  prompt.insert(prompt.end(), 1024, static_cast<std::int32_t>(config.tokens.image_pad));
  prompt.insert(prompt.end(), 38, 1);
  (void)dialogue.read(prompt);
  work.prefill = lap();
  for (int said = 0; said < 50; ++said) {
    const std::int32_t id = 1;
    (void)lap();
    (void)dialogue.read(std::span(&id, 1));
    work.decode = lap();
  }
  (void)dialogue.segment(1149, MaskPositions::text);
  work.mask = lap();
  return work;
}

qwen2_vl::Config published(Index hidden, Index ffn, Index heads, Index kv_heads, Index vocab,
                           bool tied) {
  qwen2_vl::Config config;
  config.vision.hidden_size = hidden;
  config.text.hidden_size = hidden;
  config.text.intermediate_size = ffn;
  config.text.num_attention_heads = heads;
  config.text.num_key_value_heads = kv_heads;
  config.text.vocab_size = vocab;
  config.text.tie_word_embeddings = tied;
  config.tokens = {.im_start = 2,
                   .im_end = 3,
                   .vision_start = 4,
                   .vision_end = 5,
                   .image_pad = 6,
                   .seg = 7,
                   .mask = 8};
  return config;
}

/// Within one per cent.
void expect_about(double expected, double found, const std::string& what) {
  EXPECT_NEAR(found, expected, 0.01 * expected) << what;
}

TEST(Roofline, TwoBillionParameters) {
  const Work work = work_of(published(1536, 8960, 12, 2, 151936, true));
  // 32 layers of 1280·3840 + 1280² + 2·1280·5120 weights over 4,096 patches; patches; merger.
  expect_about(5.154e12 + 0.012e12 + 0.070e12, work.vision.products, "vision products");
  expect_about(2.749e12, work.vision.attention, "vision attention, 4·4096²·1280 a layer");
  expect_about(7.99e12, work.vision.operations(), "vision");
  expect_about(2.882e12, work.prefill.products, "prefill products, LM head on one row");
  expect_about(0.104e12, work.prefill.attention, "prefill attention, the causal half");
  expect_about(2.99e12, work.prefill.operations(), "prefill");
  expect_about(3.120e9, work.decode.bytes(), "bytes of a decoded token");
  expect_about(2.683e12, work.mask.products, "mask pass products");
  expect_about(0.383e12, work.mask.attention, "mask pass attention, 4·1024·2174·1536 a layer");
  expect_about(3.07e12, work.mask.operations(), "mask pass");
}

TEST(Roofline, SevenBillionParameters) {
  const Work work = work_of(published(3584, 18944, 28, 4, 152064, false));
  expect_about(8.01e12, work.vision.operations(), "vision");
  expect_about(14.356e12, work.prefill.products, "prefill products");
  expect_about(0.243e12, work.prefill.attention, "prefill attention");
  expect_about(14.60e12, work.prefill.operations(), "prefill");
  expect_about(14.207e9, work.decode.bytes(), "bytes of a decoded token");
  expect_about(13.364e12, work.mask.products, "mask pass products");
  expect_about(0.894e12, work.mask.attention, "mask pass attention");
  expect_about(14.26e12, work.mask.operations(), "mask pass");
}

TEST(Roofline, SeveralObjectsInOnePassCostNoKeyOfEachOther) {
  counting::Engine engine;
  const auto config = published(1536, 8960, 12, 2, 151936, true);
  Stamp<counting::Engine> stamp(config);
  bind(engine, stamp, counting::NoWeights(expected_tensors(stamp)));
  Dialogue<counting::Engine> dialogue(engine, stamp);
  const qwen2_vl::PatchGrid grid{1, 16, 16};
  dialogue.look(std::vector<float>(static_cast<std::size_t>(256 * config.vision.patch_length())),
                std::span(&grid, 1));
  std::vector<std::int32_t> prompt{4};
  prompt.insert(prompt.end(), 64, 6);
  prompt.insert(prompt.end(), 10, 1);
  (void)dialogue.read(prompt);
  engine.counts = {};
  (void)dialogue.segment(70, MaskPositions::text);
  (void)dialogue.segment(72, MaskPositions::text);
  const double one_by_one = engine.counts.operations();
  engine.counts = {};
  const std::vector<Index> both{70, 72};
  (void)dialogue.segment(both, MaskPositions::text);
  EXPECT_DOUBLE_EQ(engine.counts.operations(), one_by_one);
}

}  // namespace
}  // namespace stamp::test
