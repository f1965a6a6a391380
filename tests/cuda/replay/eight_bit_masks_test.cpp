// SPDX-License-Identifier: Apache-2.0
// Masks of the shipped model in 8-bit weights are those in bfloat16, to the goal that the cpu
// engine's have (docs/cpu.md): cuda::Engine as it stands, on the host.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <stamp/cuda.hpp>
#include <stamp/image/overlap.hpp>
#include <stamp/session.hpp>

namespace stamp::test {
namespace {

/// Of pictures at their own size, on average.
constexpr double least_overlap = .99;

struct Question {
  std::string picture;
  std::string prompt;
};
const std::vector<Question> questions{{"demo.png", "the red ball"},
                                      {"balloons.png", "the red balloon"}};

/// Of all questions. The model sees a quarter of what it usually sees: matrices are multiplied on
/// the host.
[[nodiscard]] std::vector<Answer> answers_in(cuda::Weights weights) {
  const auto shipped = std::filesystem::path(STAMP_SOURCE_DIR) / "examples";
  auto model = load<cuda::Engine<bfloat16>>(shipped / "models/tiny", {}, weights);
  std::vector<Answer> answers;
  for (const Question& question : questions) {
    answers.push_back(
        segment(model, read_image(shipped / "images" / question.picture), question.prompt,
                {.max_new_tokens = 16, .min_pixels = 192 * 192, .max_pixels = 192 * 192}));
  }
  return answers;
}

TEST(EightBitMasks, AreThoseOfBf16) {
  const auto expected = answers_in(cuda::Weights::full);
  for (const auto weights : {cuda::Weights::int8, cuda::Weights::fp8}) {
    SCOPED_TRACE(weights == cuda::Weights::int8 ? "int8" : "fp8");
    const auto found = answers_in(weights);
    double overlaps = 0;
    for (std::size_t at = 0; at < questions.size(); ++at) {
      SCOPED_TRACE(questions[at].picture);
      EXPECT_EQ(found[at].text, expected[at].text);
      ASSERT_EQ(expected[at].masks.size(), 1U);
      ASSERT_EQ(found[at].masks.size(), 1U);
      const Mask& ours = found[at].masks[0];
      const Mask& theirs = expected[at].masks[0];
      EXPECT_GT(theirs.area, 0);
      EXPECT_NE(ours.logits, theirs.logits) << "the same weights";
      overlaps += intersection_over_union(ours.picture, theirs.picture);
      Index flipped = 0;
      for (std::size_t cell = 0; cell < theirs.logits.size(); ++cell) {
        flipped += (ours.logits[cell] > 0) != (theirs.logits[cell] > 0) ? 1 : 0;
      }
      EXPECT_EQ(flipped, 0) << "of " << theirs.logits.size() << " cells";
    }
    const double mean = overlaps / static_cast<double>(questions.size());
    EXPECT_GE(mean, least_overlap);
    RecordProperty(weights == cuda::Weights::int8 ? "int8" : "fp8", std::to_string(mean));
  }
}

}  // namespace
}  // namespace stamp::test
