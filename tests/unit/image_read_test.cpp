// SPDX-License-Identifier: Apache-2.0
// Every fixture's pixels against Pillow 12.0.0, and what the two JPEG decoders have in common.
#include <algorithm>
#include <cstdlib>
#include <image/goldens.hpp>

namespace {

using namespace stamp;

TEST(ReadImage, EqualsPillowOnEveryGolden) {
  const int records = test::for_each_record("pixels.txt", [](std::istringstream& fields) {
    std::string name;
    Index width = 0, height = 0;
    int orientation = 0;
    fields >> name >> width >> height >> orientation;
    const Image image = test::golden_image(name);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, height);
    EXPECT_EQ(image.orientation, orientation);
#ifndef STAMP_HAS_LIBJPEG
    if (name.ends_with(".jpg")) return;
#endif
    EXPECT_EQ(detail::crc32(image.pixels), test::hexadecimal(fields));
    const Image turned = read_image(test::goldens / name);  // EXIF is applied by default
    EXPECT_EQ(detail::crc32(turned.pixels), test::hexadecimal(fields));
    EXPECT_EQ(turned.width, orientation >= 5 ? height : width);
    EXPECT_EQ(turned.orientation, orientation);
  });
  EXPECT_GE(records, 70);
}

TEST(ReadImage, StbReadsJpegNearlyAsPillow) {
  for (const char* name :
       {"jpeg_420.jpg", "jpeg_444.jpg", "jpeg_progressive.jpg", "jpeg_grey.jpg"}) {
    const test::FileBytes bytes = test::golden_bytes(name);
    const Image ours = read_image<StbJpeg>(bytes);
    const Image best = read_image(bytes);
    ASSERT_EQ(ours.pixels.size(), best.pixels.size());
    double difference = 0;
    for (std::size_t i = 0; i < ours.pixels.size(); ++i) {
      difference += std::abs(ours.pixels[i] - best.pixels[i]);
    }
    EXPECT_LT(difference / static_cast<double>(ours.pixels.size()), 0.5) << name;
  }
}

TEST(ReadImage, RunLengthBitmapJumpsRightAndUp) {
  // 4 x 2, 8 bits, two colours: one pixel, a jump of (2, 0), one pixel, end of row, a run of four.
  test::FileBytes file = test::golden_bytes("runs8.bmp");
  const auto set = [&](std::size_t at, std::uint8_t value) { file[at] = value; };
  set(18, 4);
  set(22, 2);
  const std::uint8_t runs[] = {1, 1, 0, 2, 2, 0, 1, 2, 0, 0, 4, 3, 0, 1};
  std::ranges::copy(runs, file.begin() + 118);
  const Image image = read_image(file);
  const auto index_of = [&](Index x, Index y) {
    for (int index = 0; index < 16; ++index) {
      const std::uint8_t* colour = file.data() + 54 + 4 * index;
      const std::uint8_t* pixel = image.pixels.data() + (y * 4 + x) * 3;
      if (pixel[0] == colour[2] && pixel[1] == colour[1] && pixel[2] == colour[0]) return index;
    }
    return -1;
  };
  const int expected[] = {1, 0, 0, 2};
  for (Index x = 0; x < 4; ++x) {
    EXPECT_EQ(index_of(x, 1), expected[x]) << x;
    EXPECT_EQ(index_of(x, 0), 3) << x;
  }
}

TEST(ReadImage, MemoryAndFileGiveTheSame) {
  EXPECT_EQ(read_image(test::golden_bytes("rgb_odd.png")).pixels,
            read_image(test::goldens / "rgb_odd.png").pixels);
}

}  // namespace
