// SPDX-License-Identifier: Apache-2.0
// Mask grids at image size against torch.nn.functional.interpolate.
#include <image/goldens.hpp>
#include <stamp/image/upsample.hpp>

namespace {

using namespace stamp;

/// The logits of image_goldens.py, grid_logits.
std::vector<float> grid_logits(Index count) {
  std::vector<float> logits;
  for (Index i = 0; i < count; ++i) {
    logits.push_back(static_cast<float>((7 * i * i + 13 * i + 5) % 31 - 15) / 8 + 0.0137F);
  }
  return logits;
}

TEST(Upsample, EqualsTorchOnEveryGolden) {
  const int records = test::for_each_record("upsample.txt", [](std::istringstream& fields) {
    Index h = 0, w = 0, height = 0, width = 0, area = 0;
    double score = 0;
    fields >> h >> w >> height >> width;
    const std::vector<float> logits = grid_logits(h * w);
    const UpsampledMask smooth = upsample(logits, h, w, width, height, Upsample::bilinear);
    const UpsampledMask nearest = upsample(logits, h, w, width, height, Upsample::nearest);
    EXPECT_EQ(detail::crc32(smooth.mask.cells), test::hexadecimal(fields));
    EXPECT_EQ(detail::crc32(nearest.mask.cells), test::hexadecimal(fields));
    fields >> area >> score;
    EXPECT_EQ(smooth.area, area);
    EXPECT_NEAR(smooth.score, score, 1e-6);
  });
  EXPECT_GE(records, 9);
}

TEST(Upsample, NearestUsesTorchsFloatScale) {
  // 2 positions to 82: float32 makes 41 · (2/82) a little less than 1. (torch 2.13 gives 0 there.)
  const auto positions = detail::nearest_neighbours(2, 82);
  EXPECT_EQ(positions[41].first, 0);
  EXPECT_EQ(41 * 2 / 82, 1);
  EXPECT_EQ(positions[42].first, 1);
}

TEST(Upsample, ThresholdIsStrictAndMovesTheMask) {
  const std::vector<float> logits = {0, 1, -1, 2};
  const auto at = [&](float threshold) {
    return upsample(logits, 2, 2, 2, 2, Upsample::nearest, threshold).mask.cells;
  };
  EXPECT_EQ(at(0), (std::vector<std::uint8_t>{0, 1, 0, 1}));
  EXPECT_EQ(at(1), (std::vector<std::uint8_t>{0, 0, 0, 1}));
  EXPECT_EQ(at(-0.5F), (std::vector<std::uint8_t>{1, 1, 0, 1}));
}

TEST(Upsample, ScoreIsTheMeanForegroundProbability) {
  const std::vector<float> logits = {0, 1, -1, 2};
  const UpsampledMask mask = upsample(logits, 2, 2, 4, 4, Upsample::nearest);
  EXPECT_EQ(mask.area, 8);
  EXPECT_NEAR(mask.score, (0.7310585786 + 0.8807970780) / 2, 1e-9);
  const std::vector<float> nothing = {-1};
  EXPECT_EQ(upsample(nothing, 1, 1, 3, 3, Upsample::bilinear).score, 0);
}

TEST(Upsample, RefusesLogitsThatDoNotFillTheGrid) {
  const std::vector<float> logits(5);
  EXPECT_THROW((void)upsample(logits, 2, 3, 4, 4, Upsample::bilinear), Error);
  EXPECT_THROW((void)upsample_named("bicubic"), Error);
  EXPECT_EQ(upsample_named("nearest"), Upsample::nearest);
}

}  // namespace
