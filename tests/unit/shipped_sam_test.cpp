// SPDX-License-Identifier: Apache-2.0
// The SAM that ships with the project sharpens masks: on pictures of examples/images, which its
// training never saw, from masks of 400 cells that are as right as cells can be.
#include <gtest/gtest.h>

#include <stamp/image/cell_cover.hpp>
#include <stamp/image/overlap.hpp>
#include <stamp/reference.hpp>
#include <stamp/session/sam_refiner.hpp>
#include <thread>

namespace {

using namespace stamp;

const std::filesystem::path examples = std::filesystem::path(STAMP_SOURCE_DIR) / "examples";

Bitmap read_mask(const std::filesystem::path& path) {
  const Image image = read_image(path);
  Bitmap mask{.width = image.width, .height = image.height};
  for (std::size_t at = 0; at < image.pixels.size(); at += 3) {
    mask.cells.push_back(image.pixels[at] > 127 ? 1 : 0);
  }
  return mask;
}

TEST(CellCover, IsTheShareOfPixelsInEachCell) {
  const Bitmap mask{.width = 4, .height = 2, .cells = {1, 1, 0, 0, 1, 0, 0, 1}};
  EXPECT_EQ(cell_cover(mask, 1, 2), (std::vector<float>{0.75F, 0.25F}));
  EXPECT_EQ(cell_cover(mask, 2, 1), (std::vector<float>{0.5F, 0.5F}));
  EXPECT_EQ(cell_cover(mask, 1, 1), (std::vector<float>{0.5F}));
  EXPECT_THROW((void)cell_cover(mask, 3, 1), Error);
}

TEST(ShippedSam, BringsMasksOfCellsNearerToTheTruth) {
  auto model =
      load_sam<reference::Engine<float>>(examples / "models/tiny-sam/model.safetensors",
                                         static_cast<Index>(std::thread::hardware_concurrency()));
  const MaskRefiner refiner = sam_refiner(model);
  double coarse_sum = 0;
  double refined_sum = 0;
  double coarse_edges = 0;
  double refined_edges = 0;
  int masks = 0;
  for (const std::string name : {"demo", "cards", "numbers", "target", "cones"}) {
    refiner.look(read_image(examples / "images" / (name + ".png")));
    for (const int number : {0, 1, 2}) {
      const auto file = examples / "images/truth" / (name + "-" + std::to_string(number) + ".png");
      if (!std::filesystem::exists(file)) continue;
      const Bitmap truth = read_mask(file);
      const Bitmap coarse = through_cells(truth, 400);
      const RefinedMask found = refiner.refine(coarse, 0);
      ASSERT_TRUE(found.refined) << found.reason;
      coarse_sum += intersection_over_union(coarse, truth);
      refined_sum += intersection_over_union(found.mask, truth);
      coarse_edges += boundary_iou(coarse, truth);
      refined_edges += boundary_iou(found.mask, truth);
      ++masks;
    }
  }
  ASSERT_GE(masks, 8);
  RecordProperty("coarse", std::to_string(coarse_sum / masks));
  RecordProperty("refined", std::to_string(refined_sum / masks));
  // Measured: IoU .88 to .95.
  EXPECT_GT(refined_sum / masks, coarse_sum / masks + 0.05);
  EXPECT_GT(refined_edges / masks, coarse_edges / masks + 0.1);
}

}  // namespace
