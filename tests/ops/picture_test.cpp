// SPDX-License-Identifier: Apache-2.0
// The steps between pictures and activations (session/picture_steps.hpp) on every engine: those
// that do them in their own memory give what the host gives, bit for bit.
#include <algorithm>
#include <stamp/session/picture_steps.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Picture : public Operation<B> {};
TYPED_TEST_SUITE(Picture, Engines, EngineName);

std::vector<float> random_floats(Index count, std::uint64_t seed, double scale) {
  const auto drawn = random_numbers(count, seed, scale);
  return {drawn.begin(), drawn.end()};
}

TYPED_TEST(Picture, UpsampledMasksAreTheHosts) {
  struct Sizes {
    Index grid_height, grid_width, width, height;
  };
  for (const Sizes& s : {Sizes{1, 1, 1, 1}, Sizes{1, 1, 7, 5}, Sizes{2, 3, 2, 3},
                         Sizes{3, 2, 41, 37}, Sizes{5, 7, 110, 122}, Sizes{16, 16, 257, 255},
                         Sizes{32, 24, 301, 513}, Sizes{9, 13, 4, 6}}) {
    for (const Upsample variant : {Upsample::bilinear, Upsample::nearest}) {
      for (const float threshold : {0.0F, 0.37F, -100.0F, 100.0F}) {
        const auto logits = random_floats(s.grid_height * s.grid_width, 1, 3);
        const auto expected =
            upsample(logits, s.grid_height, s.grid_width, s.width, s.height, variant, threshold);
        const auto found = upsample(this->backend, logits, s.grid_height, s.grid_width, s.width,
                                    s.height, variant, threshold);
        EXPECT_EQ(found.mask.width, s.width);
        EXPECT_EQ(found.mask.height, s.height);
        EXPECT_EQ(found.mask.cells, expected.mask.cells) << s.width << " x " << s.height;
        EXPECT_EQ(found.area, expected.area);
        // Sums of n numbers below one in two orders, each rounded n times at most.
        EXPECT_NEAR(found.score, expected.score, static_cast<double>(s.width * s.height) * 0x1p-52);
      }
    }
  }
}

/// Logits so close to the threshold that another order of roundings would turn pixels.
TYPED_TEST(Picture, UpsampledMasksAreTheHostsAtTheEdgeOfRounding) {
  constexpr Index side = 24;
  auto logits = random_floats(side * side, 2, 1);
  const float threshold = 0.1F;
  for (float& logit : logits) logit = threshold + logit * 0x1p-26F;
  const auto expected = upsample(logits, side, side, 203, 331, Upsample::bilinear, threshold);
  const auto found =
      upsample(this->backend, logits, side, side, 203, 331, Upsample::bilinear, threshold);
  EXPECT_EQ(found.mask.cells, expected.mask.cells);
  EXPECT_GT(expected.area, 0);
  EXPECT_LT(expected.area, 203 * 331);
}

TYPED_TEST(Picture, UpsamplingNamesWhatDoesNotFillTheGrid) {
  if constexpr (requirement::ThresholdsPictures<TypeParam>) {
    const std::vector<float> logits(5);
    EXPECT_EQ(
        usage_error([&] { (void)upsample(this->backend, logits, 2, 3, 4, 4, Upsample::bilinear); }),
        "threshold_picture logits: expected 6 numbers, found 5");
  }
}

}  // namespace
}  // namespace stamp::test
