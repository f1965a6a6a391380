// SPDX-License-Identifier: Apache-2.0
// COCO run-length masks against pycocotools 2.0.10, and counts that lie.
#include <algorithm>
#include <image/goldens.hpp>
#include <random>
#include <stamp/image/run_length.hpp>

namespace {

using namespace stamp;

/// The masks of image_goldens.py, seeded_mask; number 3 is all foreground.
Bitmap seeded_mask(Index h, Index w, std::uint64_t seed) {
  Bitmap mask{.width = w, .height = h};
  const std::uint64_t cell = std::max<std::uint64_t>(1, seed % 7), low = 0xFFFFFFFF;
  for (std::uint64_t y = 0; y < static_cast<std::uint64_t>(h); ++y) {
    for (std::uint64_t x = 0; x < static_cast<std::uint64_t>(w); ++x) {
      const std::uint64_t value = ((y / cell) * 2654435761 + (x / cell) * 40503 + seed * 97) & low;
      const bool foreground = (((value * 2246822519) & low) >> 16) % 100 < (seed * 13) % 101;
      mask.cells.push_back(foreground || seed == 3 ? 1 : 0);
    }
  }
  return mask;
}

TEST(RunLength, EqualsPycocotoolsOnEveryGolden) {
  const int records = test::for_each_record("run_length.txt", [](std::istringstream& fields) {
    Index h = 0, w = 0, pixels = 0;
    std::uint64_t seed = 0;
    std::array<Index, 4> box{};
    std::string counts;
    fields >> h >> w >> seed >> pixels >> box[0] >> box[1] >> box[2] >> box[3] >> counts;
    const Bitmap mask = seeded_mask(h, w, seed);
    const RunLength runs = encode_run_length(mask);
    EXPECT_EQ(runs.counts, counts);
    EXPECT_EQ(area(mask), pixels);
    EXPECT_EQ(bounding_box(mask), box);
    EXPECT_EQ(decode_run_length({.height = h, .width = w, .counts = counts}).cells, mask.cells);
  });
  EXPECT_GE(records, 27);
}

TEST(RunLength, CountsThatLie) {
  const auto with = [](const std::string& counts, Index h = 4, Index w = 5) {
    return test::error_of(
        [&] { (void)decode_run_length({.height = h, .width = w, .counts = counts}); });
  };
  EXPECT_EQ(with("d0"), "");  // one run of 20
  EXPECT_NE(with("c0").find("RLE sums to 19, need 20"), std::string::npos);
  EXPECT_NE(with("").find("RLE sums to 0, need 20"), std::string::npos);
  EXPECT_NE(with("e0").find("RLE sums to at least 21, need 20"), std::string::npos);
  EXPECT_NE(with("O").find("RLE: negative run of -1"), std::string::npos);
  EXPECT_NE(with("d").find("RLE: no valid count at character 1"), std::string::npos);
  EXPECT_NE(with("\x7F").find("RLE: no valid count at character 0"), std::string::npos);
  EXPECT_NE(with("oooooooooooooooooooo0").find("RLE"), std::string::npos);
  EXPECT_NE(with("0", Index{1} << 40, Index{1} << 40).find("overflows"), std::string::npos);
  EXPECT_NE(with("0", -1, 5).find("overflows"), std::string::npos);
}

TEST(RunLength, RandomTextNeverCrashes) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 20'000; ++trial) {
    RunLength runs{.height = 6, .width = 7};
    const std::size_t length = random() % 12;
    for (std::size_t i = 0; i < length; ++i) runs.counts += static_cast<char>(random() % 256);
    try {
      EXPECT_EQ(decode_run_length(runs).cells.size(), 42U);
    } catch (const Error&) {
    }
  }
}

}  // namespace
