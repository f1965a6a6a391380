// SPDX-License-Identifier: Apache-2.0
// Overlaps of masks, against pictures small enough to count by hand and a search of all pixels.
#include <gtest/gtest.h>
#include <algorithm>

#include <random>
#include <stamp/image/overlap.hpp>

namespace {

using namespace stamp;

Bitmap drawn(Index width, std::string_view cells) {
  Bitmap mask{.width = width, .height = static_cast<Index>(cells.size()) / width};
  for (const char cell : cells) mask.cells.push_back(cell == '#' ? 1 : 0);
  return mask;
}

std::string shown(const Bitmap& mask) {
  std::string cells;
  for (const std::uint8_t cell : mask.cells) cells += cell != 0 ? '#' : '.';
  return cells;
}

/// A square from (from, from) to before (to, to).
Bitmap square(Index side, Index from, Index to) {
  Bitmap mask{.width = side, .height = side};
  for (Index y = 0; y < side; ++y) {
    for (Index x = 0; x < side; ++x) {
      mask.cells.push_back(std::min(x, y) >= from && std::max(x, y) < to ? 1 : 0);
    }
  }
  return mask;
}

TEST(Overlap, CountsSharedPixelsOfAllPixels) {
  const Bitmap a = drawn(4, "##..##..");
  EXPECT_EQ(intersection_over_union(a, a), 1);
  EXPECT_EQ(intersection_over_union(a, drawn(4, ".##..##.")), 2.0 / 6);
  EXPECT_EQ(intersection_over_union(a, drawn(4, "..##..##")), 0);
  EXPECT_EQ(intersection_over_union(drawn(4, "........"), drawn(4, "........")), 1);
}

TEST(Overlap, RefusesMasksOfDifferentSizes) {
  try {
    (void)intersection_over_union(drawn(4, "####"), drawn(2, "####"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    EXPECT_NE(std::string(error.what()).find("4 x 1 and 2 x 2"), std::string::npos) << error.what();
  }
}

TEST(InnerBand, ReachesInwardOnlyAndTakesThePicturesEdgeForAnOutline) {
  EXPECT_EQ(shown(inner_band(drawn(7,
                                   "......."
                                   ".#####."
                                   ".#####."
                                   ".#####."
                                   "......."),
                             1)),
            "......."
            ".#####."
            ".#...#."
            ".#####."
            ".......");
  EXPECT_EQ(shown(inner_band(drawn(4, "################"), 1)), "#####..##..#####");
  EXPECT_EQ(shown(inner_band(drawn(4, "################"), 2)), "################");
}

TEST(InnerBand, EqualsTheSearchOfAllPixels) {
  std::mt19937 random(5);
  Bitmap mask{.width = 19, .height = 13};
  for (Index at = 0; at < 19 * 13; ++at) mask.cells.push_back(random() % 12 != 0 ? 1 : 0);
  for (const Index reach : {1, 2, 3}) {
    std::string expected;
    for (Index y = 0; y < mask.height; ++y) {
      for (Index x = 0; x < mask.width; ++x) {
        bool near = false;
        for (Index v = y - reach; v <= y + reach; ++v) {
          for (Index u = x - reach; u <= x + reach; ++u) {
            near |= u < 0 || v < 0 || u >= mask.width || v >= mask.height ||
                    mask.cells[static_cast<std::size_t>(v * mask.width + u)] == 0;
          }
        }
        expected +=
            near && mask.cells[static_cast<std::size_t>(y * mask.width + x)] != 0 ? '#' : '.';
      }
    }
    EXPECT_EQ(shown(inner_band(mask, reach)), expected) << "reach " << reach;
  }
}

TEST(BoundaryIou, SeesAnEdgeThatIsOffWhereAllPixelsHideIt) {
  // 100 x 100: the band is round(.02 · 141.4) = 3 pixels wide.
  const Bitmap truth = square(100, 10, 90);
  const Bitmap small = square(100, 12, 88);
  EXPECT_EQ(boundary_iou(truth, truth), 1);
  EXPECT_DOUBLE_EQ(intersection_over_union(truth, small), 76.0 * 76 / (80 * 80));
  // Bands [10, 13) and [12, 15): they share the frame of one pixel at 12.
  const double shared = 76 * 76 - 74 * 74;
  const double either = 80 * 80 - 70 * 70;
  EXPECT_DOUBLE_EQ(boundary_iou(truth, small), shared / either);
}

TEST(BoundaryIou, IsAtLeastAPixelWide) {
  const Bitmap truth = square(5, 0, 5);
  EXPECT_EQ(boundary_iou(truth, square(5, 1, 4)), 0);
}

}  // namespace
