// SPDX-License-Identifier: Apache-2.0
// A whole answer on engines that take pictures as bytes and make masks themselves: it is the
// reference backend's, and each mask is exactly what the host makes of its logits. Sampled answers
// are the reference's, too, draw by draw.
#include <gtest/gtest.h>

#include <cuda_goldens.hpp>
#include <parity/cpu_types.hpp>
#include <random>
#include <stamp/reference.hpp>
#include <vector>

namespace {

const std::filesystem::path models =
    std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens/models";

stamp::Image drawn_picture() {
  stamp::Image image{.width = 131, .height = 97};
  std::mt19937 random(4);
  for (stamp::Index at = 0; at < image.width * image.height; ++at) {
    const bool bright = (at % image.width / 40 + at / image.width / 30) % 2 == 0;
    for (int channel = 0; channel < 3; ++channel) {
      image.pixels.push_back(static_cast<std::uint8_t>((bright ? 160 : 20) + random() % 64));
    }
  }
  return image;
}

template <class B>
stamp::Answer answer_on(stamp::Upsample upsample) {
  auto model = stamp::load<B>(models / "tied");
  return stamp::segment(model, drawn_picture(), "the dark squares",
                        {.response = "these<|seg|> and these<|seg|>.",
                         .min_pixels = 56 * 56,
                         .max_pixels = 112 * 112,
                         .upsample = upsample});
}

template <class B>
void expect_the_references_answer() {
  for (const auto variant : {stamp::Upsample::bilinear, stamp::Upsample::nearest}) {
    const auto expected = answer_on<stamp::reference::Engine<float>>(variant);
    const auto found = answer_on<B>(variant);
    EXPECT_EQ(found.text, expected.text);
    EXPECT_EQ(found.resized_width, expected.resized_width);
    EXPECT_EQ(found.grid.h, expected.grid.h);
    ASSERT_EQ(found.masks.size(), 2U);
    for (std::size_t at = 0; at < found.masks.size(); ++at) {
      const stamp::Mask& mask = found.masks[at];
      const stamp::Mask& theirs = expected.masks[at];
      ASSERT_EQ(mask.logits.size(), theirs.logits.size());
      for (std::size_t cell = 0; cell < mask.logits.size(); ++cell) {
        EXPECT_NEAR(mask.logits[cell], theirs.logits[cell], 1e-4) << "mask " << at;
      }
      const auto by_host =
          stamp::upsample(mask.logits, mask.rows, mask.columns, found.width, found.height, variant);
      EXPECT_EQ(mask.picture.cells, by_host.mask.cells);
      EXPECT_EQ(mask.area, by_host.area);
      EXPECT_NEAR(mask.score, by_host.score, 1e-11);
    }
  }
}

/// Words drawn with one seed, by the settings of Qwen2-VL, by those of transformers, and by others.
template <class B, class... Engine>
std::vector<std::vector<stamp::text::TokenId>> sampled_on(stamp::Index draft, Engine... engine) {
  using enum stamp::text::Choice;
  auto model = stamp::load<B>(models / "tied", {}, engine...);
  std::vector<std::vector<stamp::text::TokenId>> answers;
  for (const stamp::text::Sampling& sampling :
       {stamp::text::Sampling{sample, 0.01, 1, 0.001, 1.05, 1},
        {sample, 1, 50, 1, 1, 2},
        {sample, 0.8, 20, 0.9, 1.3, 3},
        {greedy, 1, 50, 1, 1.2, 4}}) {
    answers.push_back(stamp::segment(model, drawn_picture(), "the dark squares",
                                     {.max_new_tokens = 12,
                                      .sampling = sampling,
                                      .draft = draft,
                                      .min_pixels = 56 * 56,
                                      .max_pixels = 112 * 112})
                          .output_ids);
  }
  return answers;
}
template <class B, class... Engine>
void expect_the_references_draws(Engine... engine) {
  const auto expected = sampled_on<stamp::reference::Engine<float>>(0);
  EXPECT_EQ(expected.size(), 4U);
  for (const stamp::Index draft : {0, 3}) {
    EXPECT_EQ((sampled_on<B>(draft, engine...)), expected) << "draft " << draft;
  }
}

TEST(Answer, CpuDrawsAsTheReferenceDoes) {
  if (const auto reason = stamp::test::why_not_on_cpu(stamp::cpu::Compute::fp32); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  expect_the_references_draws<stamp::cpu::Backend>(stamp::cpu::Compute::fp32);
}

TEST(Answer, CudaKernelsWalkedOnTheHostDrawAsTheReferenceDoes) {
  if (!stamp::test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  stamp::test::on_walked_kernels([]<class B>() { expect_the_references_draws<B>(); });
}

TEST(Answer, CudaAnswersWithTheReferencesDraws) {
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_float([]<class B>() { expect_the_references_draws<B>(); });
}

TEST(Answer, CudaKernelsWalkedOnTheHostAnswerAsTheReferenceDoes) {
  if (!stamp::test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  stamp::test::on_walked_kernels([]<class B>() { expect_the_references_answer<B>(); });
}

TEST(Answer, CudaAnswersAsTheReferenceDoes) {
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_float([]<class B>() { expect_the_references_answer<B>(); });
}

}  // namespace
