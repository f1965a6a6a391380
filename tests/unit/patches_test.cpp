// SPDX-License-Identifier: Apache-2.0
// smart_resize and the Qwen2-VL image processor against transformers 4.57.1.
#include <cstring>
#include <image/goldens.hpp>
#include <stamp/image/patches.hpp>

namespace {

using namespace stamp;

TEST(SmartResize, EqualsTransformersOnEveryGolden) {
  const int records = test::for_each_record("smart.txt", [](std::istringstream& fields) {
    Index height = 0, width = 0, factor = 0, least = 0, most = 0, to_height = 0, to_width = 0;
    fields >> height >> width >> factor >> least >> most >> to_height >> to_width;
    if (to_width < 0) {
      const auto act = [&] { (void)smart_resize(width, height, factor, least, most); };
      EXPECT_NE(test::error_of(act).find("aspect ratio"), std::string::npos);
      return;
    }
    const Extent size = smart_resize(width, height, factor, least, most);
    EXPECT_EQ(size.width, to_width);
    EXPECT_EQ(size.height, to_height);
  });
  EXPECT_GE(records, 2000);
}

TEST(SmartResize, HalvesGoToTheEvenNeighbour) {
  EXPECT_EQ(smart_resize(70, 42, 28, 1, 1 << 20).width, 56);   // 2.5 -> 2
  EXPECT_EQ(smart_resize(70, 42, 28, 1, 1 << 20).height, 56);  // 1.5 -> 2
}

TEST(SmartResize, RefusesBudgetsThatCannotBeMeant) {
  const auto with = [](Index factor, Index least, Index most) {
    return test::error_of([=] { (void)smart_resize(640, 480, factor, least, most); });
  };
  EXPECT_EQ(with(28, 0, 784).substr(0, 1), "2");
  EXPECT_EQ(with(0, 784, 784).substr(0, 1), "2");
  EXPECT_EQ(with(28, Index{1} << 40, Index{1} << 41).substr(0, 1), "2");
}

std::uint32_t crc(const std::vector<float>& values) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  return detail::crc32({bytes, values.size() * sizeof(float)});
}

TEST(Patches, EqualTransformersOnEveryGolden) {
  const int records = test::for_each_record("patches.txt", [](std::istringstream& fields) {
    std::string name;
    ImageProcessor processor;
    qwen2_vl::PatchGrid grid;
    fields >> name >> processor.min_pixels >> processor.max_pixels >> grid.h >> grid.w;
    const Image image = test::golden_image(name);
    const PixelPatches fused = patches(image, processor);
    processor.normalise = Normalise::rescale_first;
    const PixelPatches rescaled = patches(image, processor);

    EXPECT_EQ(fused.grid.t, 1);
    EXPECT_EQ(fused.grid.h, grid.h);
    EXPECT_EQ(fused.grid.w, grid.w);
    EXPECT_EQ(fused.resized_width, grid.w * 14);
    EXPECT_EQ(fused.resized_height, grid.h * 14);
    ASSERT_EQ(std::ssize(fused.values), grid.h * grid.w * 3 * 2 * 14 * 14);
#ifndef STAMP_HAS_LIBJPEG
    if (name.ends_with(".jpg")) return;
#endif
    EXPECT_EQ(crc(fused.values), test::hexadecimal(fields));
    EXPECT_EQ(crc(rescaled.values), test::hexadecimal(fields));
    for (int i = 0; i < 8; ++i) {
      std::size_t at = 0;
      float expected = 0;
      fields >> at >> expected;
      EXPECT_FLOAT_EQ(fused.values[at], expected);
      EXPECT_NEAR(rescaled.values[at], expected, 1e-6);
    }
  });
  EXPECT_GE(records, 40);
}

TEST(Patches, TinyPicturesGrowToTheMinimum) {
  for (const char* name : {"rgb_1x1.png", "rgb_2x2.png"}) {
    const PixelPatches result =
        patches(test::golden_image(name), {.min_pixels = 3136, .max_pixels = 12544});
    EXPECT_EQ(result.resized_width, 56);
    EXPECT_EQ(result.resized_height, 56);
  }
}

TEST(Patches, OtherGeometriesKeepTheOrderOfTheirIndices) {
  // Without merging and with patches of one pixel the values are the picture, pixel by pixel.
  Image image{.width = 2, .height = 2, .pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  ImageProcessor processor{.min_pixels = 1,
                           .max_pixels = 4,
                           .patch_size = 1,
                           .temporal_patch_size = 1,
                           .merge_size = 1,
                           .mean = {0, 0, 0},
                           .std = {1 / 255.0, 1 / 255.0, 1 / 255.0}};
  std::vector<float> expected(image.pixels.begin(), image.pixels.end());
  EXPECT_EQ(patches(image, processor).values, expected);
  processor.temporal_patch_size = 2;
  const std::vector<float> first = {1, 1, 2, 2, 3, 3};
  const PixelPatches twice = patches(image, processor);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), twice.values.begin()));
  processor.patch_size = 0;
  EXPECT_THROW((void)patches(image, processor), Error);
}

}  // namespace
