// SPDX-License-Identifier: Apache-2.0
// The work of an answer about an 896×896 image and of SAM's encoder at the published sizes, counted
// from what the models ask of their backend, against the closed formulas of the published layout: a
// second run of the vision tower, an LM head on every row, keys that no query sees or products of a
// window's padding would show.
#include <gtest/gtest.h>

#include <stamp/model/qwen2_vl/published.hpp>
#include <stamp/model/sam/image_encoder.hpp>
#include <stamp/observe/answer_work.hpp>

namespace stamp::test {
namespace {

/// Within one per cent.
void expect_about(double expected, double found, const std::string& what) {
  EXPECT_NEAR(found, expected, 0.01 * expected) << what;
}

TEST(Roofline, TwoBillionParameters) {
  const AnswerWork work = answer_work(qwen2_vl::published_2b());
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
  const AnswerWork work = answer_work(qwen2_vl::published_7b());
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
  const auto config = qwen2_vl::published_2b();
  Stamp<counting::Engine> stamp(config);
  bind(engine, stamp, counting::NoWeights(expected_tensors(stamp)));
  Dialogue<counting::Engine> dialogue(engine, stamp);
  const qwen2_vl::PatchGrid grid{1, 16, 16};
  dialogue.look(std::vector<float>(static_cast<std::size_t>(256 * config.vision.patch_length())),
                std::span(&grid, 1));
  (void)dialogue.read(AnswerSize{.grid = grid, .before = 0, .after = 10}.prompt(config));
  engine.counts = {};
  (void)dialogue.segment(70, MaskPositions::text);
  (void)dialogue.segment(72, MaskPositions::text);
  const double one_by_one = engine.counts.operations();
  engine.counts = {};
  const std::vector<Index> both{70, 72};
  (void)dialogue.segment(both, MaskPositions::text);
  EXPECT_DOUBLE_EQ(engine.counts.operations(), one_by_one);
}

/// Of an answer only what somebody sees runs: its last word waits, runs along with the next
/// question, and asks for no scores where a picture comes first.
TEST(Roofline, ALastWordTakesNoPassOfItsOwn) {
  counting::Engine engine;
  const auto config = qwen2_vl::published_2b();
  Stamp<counting::Engine> stamp(config);
  bind(engine, stamp, counting::NoWeights(expected_tensors(stamp)));
  const qwen2_vl::PatchGrid grid{1, 16, 16};
  const std::vector<float> pixels(static_cast<std::size_t>(256 * config.vision.patch_length()));
  const auto prompt = AnswerSize{.grid = grid, .before = 0, .after = 10}.prompt(config);
  const auto counted = [&](const auto& work) {
    engine.counts = {};
    work();
    return engine.counts.weight_bytes;
  };
  Dialogue<counting::Engine> dialogue(engine, stamp);
  const double vision = counted([&] { dialogue.look(pixels, std::span(&grid, 1)); });
  std::vector<float> scores;
  const double pass = counted([&] { scores = dialogue.read(prompt); });
  const auto say = [&](Index words) {
    (void)dialogue.generate_greedily(scores, -1, words, [](std::int32_t) {});
  };
  EXPECT_EQ(counted([&] { say(4); }), 3 * pass);
  const auto mask = [&] { (void)dialogue.segment(70, MaskPositions::text); };
  const double mask_pass = counted(mask);
  const double head = 2.0 * static_cast<double>(config.text.vocab_size * config.text.hidden_size);
  EXPECT_NEAR(mask_pass, pass - head, 1e-4 * pass) << "of the fourth word nothing ran";
  EXPECT_EQ(counted([&] { scores = dialogue.read(std::vector<std::int32_t>{1, 1}); }), pass);
  EXPECT_EQ(dialogue.positions().size(), dialogue.tokens().size());
  say(1);
  EXPECT_EQ(counted([&] { dialogue.look(pixels, std::span(&grid, 1)); }), vision + pass - head);
}

/// Zeros for the kernels of convolutions, which are rearranged; shapes alone for all others.
class ZeroKernels {
 public:
  explicit ZeroKernels(const std::vector<ExpectedTensor>& expected) : shapes_(expected) {}
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    auto found = shapes_.find(name);
    if (found && found->rank == 4) found->data = zeros_.data();
    return found;
  }

 private:
  counting::NoWeights shapes_;
  // The largest is patch_embed's: 1280 outputs of 16·16·3 numbers.
  std::vector<std::byte> zeros_{std::size_t{1280} * 768 * sizeof(bfloat16)};
};

TEST(Roofline, SamVitHEncoder) {
  const sam::VisionConfig config = sam::published_config(1280).value().vision;
  counting::Engine engine;
  sam::ImageEncoder<counting::Engine> encoder(config);
  bind(engine, encoder, ZeroKernels(expected_tensors(encoder)));
  const auto y = engine.allocate<bfloat16>(Pixels{64 * 64}, Channels{256});
  encoder(engine, y, std::vector<float>(std::size_t{1024} * 1024 * 3));
  const counting::Counts& work = engine.counts;
  // 28 layers whose windows are padded from 64 x 64 to 25 windows of 14 x 14, 4 global ones.
  constexpr double hidden = 1280;
  constexpr double padded = 25 * 14 * 14;
  constexpr double seen = 64 * 64;
  expect_about(28 * 4 * padded * 14 * 14 * hidden + 4 * 4 * seen * seen * hidden, work.attention,
               "attention: 196 keys a query in windows, 4096 elsewhere");
  // Beside the layers' products the patches, the neck and the relative positions: a query times
  // each row of both tables, 2·14 - 1 or 2·64 - 1 each.
  const double positions = 28 * 2 * padded * hidden * 2 * 27 + 4 * 2 * seen * hidden * 2 * 127;
  expect_about(32 * 2 * seen * 12 * hidden * hidden + positions + 0.016e12, work.products,
               "products of 12·1280² weights a layer, over the map's own positions");
  // The row of the published layout multiplies the padding of windows by qkv and proj, too.
  const double padding = 28 * 2 * (padded - seen) * 4 * hidden * hidden;
  expect_about(5.96e12, work.operations() + padding, "SAM's encoder with its padding");
  expect_about(5.96e12 - padding, work.operations(), "SAM's encoder");
}

}  // namespace
}  // namespace stamp::test
