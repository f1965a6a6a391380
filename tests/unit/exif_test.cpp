// SPDX-License-Identifier: Apache-2.0
// The orientation tag in hostile directories, and the eight turns against their definition.
// (image_read_test compares them with PIL.ImageOps.exif_transpose on real files.)
#include <gtest/gtest.h>

#include <random>
#include <stamp/image/exif.hpp>

namespace {

using stamp::apply_orientation;
using stamp::exif_orientation;
using stamp::Image;
using Block = std::vector<std::uint8_t>;

Block little_block(std::uint8_t value) {
  return {'I', 'I', 42, 0, 8, 0,     0, 0, 1, 0, 0x12, 0x01, 3,
          0,   1,   0,  0, 0, value, 0, 0, 0, 0, 0,    0,    0};
}
Block big_block(std::uint8_t value) {
  return {'M', 'M', 0, 42, 0, 0, 0,     8, 0, 1, 0x01, 0x12, 0,
          3,   0,   0, 0,  1, 0, value, 0, 0, 0, 0,    0,    0};
}

TEST(Exif, BothByteOrders) {
  for (std::uint8_t value = 1; value <= 8; ++value) {
    EXPECT_EQ(exif_orientation(little_block(value)), value);
    EXPECT_EQ(exif_orientation(big_block(value)), value);
  }
}

TEST(Exif, WhatIsNotAnOrientationIsUpright) {
  EXPECT_EQ(exif_orientation({}), 1);
  EXPECT_EQ(exif_orientation(little_block(0)), 1);
  EXPECT_EQ(exif_orientation(little_block(9)), 1);
  Block block = little_block(6);
  block[2] = 43;  // not TIFF
  EXPECT_EQ(exif_orientation(block), 1);
  block = little_block(6);
  block[12] = 4;  // a type that Pillow would not take for it either
  EXPECT_EQ(exif_orientation(block), 1);
}

TEST(Exif, HostileDirectories) {
  for (const std::uint8_t byte : Block{0xFF, 0x7F, 0x18}) {  // offsets at and past the end
    Block block = little_block(6);
    block[4] = byte;
    block[5] = block[6] = block[7] = byte == 0x18 ? 0 : byte;
    EXPECT_EQ(exif_orientation(block), 1);
  }
  Block block = little_block(6);
  block[8] = block[9] = 0xFF;  // 65535 entries promised, one there
  EXPECT_EQ(exif_orientation(block), 6);
  for (std::size_t size = 0; size < block.size(); ++size) {
    const Block cut(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
    const int orientation = exif_orientation(cut);
    EXPECT_EQ(orientation, size >= 22 ? 6 : 1) << size;
  }
  std::mt19937 random(1);
  for (int trial = 0; trial < 10'000; ++trial) {
    Block noisy = trial % 2 == 0 ? little_block(3) : big_block(3);
    for (int flips = 0; flips < 4; ++flips) {
      std::uint8_t& byte = noisy[random() % noisy.size()];
      byte = static_cast<std::uint8_t>(byte ^ 1U << random() % 8);
    }
    const int orientation = exif_orientation(noisy);
    EXPECT_TRUE(orientation >= 1 && orientation <= 8);
  }
}

TEST(Exif, TurnsByTheirDefinition) {
  // a b c      EXIF: where row 0 and column 0 of the stored picture are seen.
  // d e f
  Image stored{.width = 3, .height = 2};
  for (const char letter : {'a', 'b', 'c', 'd', 'e', 'f'}) {
    stored.pixels.insert(stored.pixels.end(), 3, static_cast<std::uint8_t>(letter));
  }
  const char* seen[] = {"abcdef", "abcdef", "cbafed", "fedcba", "defabc",
                        "adbecf", "daebfc", "fcebda", "cfbead", "abcdef"};
  for (int orientation = 0; orientation < 10; ++orientation) {
    const Image image = apply_orientation(stored, orientation);
    const bool swapped = orientation >= 5 && orientation <= 8;
    EXPECT_EQ(image.width, swapped ? 2 : 3);
    EXPECT_EQ(image.height, swapped ? 3 : 2);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(image.pixels[3 * i], seen[orientation][i]) << orientation << " " << i;
    }
  }
}

}  // namespace
