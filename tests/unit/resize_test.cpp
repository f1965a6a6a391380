// SPDX-License-Identifier: Apache-2.0
// The three bicubic resizes against Pillow and torch (reference/pytorch/image_goldens.py).
#include <image/goldens.hpp>
#include <stamp/image/resize.hpp>

namespace {

using namespace stamp;
using test::golden_image;

TEST(Resize, EqualsPillowAndTorchOnEveryGolden) {
  int float_differences = 0;
  const int records = test::for_each_record("resize.txt", [&](std::istringstream& fields) {
    std::string name;
    Index width = 0, height = 0;
    fields >> name >> width >> height;
    const Image image = golden_image(name);
    const auto crc = [&](Resize variant) {
      return detail::crc32(resize(image, width, height, variant).pixels);
    };
    EXPECT_EQ(crc(Resize::pillow), test::hexadecimal(fields));
    EXPECT_EQ(crc(Resize::torch_u8), test::hexadecimal(fields));
    float_differences += crc(Resize::torch_f32) != test::hexadecimal(fields) ? 1 : 0;
    const Image smooth = resize(image, width, height, Resize::torch_f32);
    for (std::size_t i = 0; i < 12; ++i) {
      int expected = 0;
      fields >> expected;
      EXPECT_NEAR(smooth.pixels[(smooth.pixels.size() - 1) * i / 11], expected, 1);
    }
  });
  EXPECT_GE(records, 100);
  // torch may add its floats in another order: a byte at a rounding edge then differs by one.
  EXPECT_LE(float_differences * 10, records) << float_differences << " of " << records;
}

TEST(Resize, KeepsAPictureOfTheRightSize) {
  const Image image = golden_image("noise.png");
  for (const Resize variant : {Resize::pillow, Resize::torch_u8, Resize::torch_f32}) {
    EXPECT_EQ(resize(image, image.width, image.height, variant).pixels, image.pixels);
  }
}

TEST(Resize, VariantsDifferWhereTheirFixedPointDiffers) {
  const Image image = golden_image("noise.png");
  const auto pillow = resize(image, 90, 80, Resize::pillow).pixels;
  EXPECT_NE(pillow, resize(image, 90, 80, Resize::torch_u8).pixels);
  EXPECT_NE(pillow, resize(image, 90, 80, Resize::torch_f32).pixels);
}

TEST(Resize, NamesAreThoseOfTheCommand) {
  EXPECT_EQ(resize_named("pillow"), Resize::pillow);
  EXPECT_EQ(resize_named("torch-u8"), Resize::torch_u8);
  EXPECT_EQ(resize_named("torch-f32"), Resize::torch_f32);
  EXPECT_THROW((void)resize_named("bicubic"), Error);
  EXPECT_THROW((void)resize(golden_image("noise.png"), 0, 3, Resize::pillow), Error);
}

}  // namespace
