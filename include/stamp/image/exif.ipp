// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/exif.hpp>.
#pragma once

#include <stamp/image/exif.hpp>

namespace stamp {

int exif_orientation(detail::Bytes tiff) {
  constexpr std::uint32_t orientation_tag = 0x0112;
  constexpr std::uint32_t short_type = 3;
  constexpr std::size_t entry_bytes = 12;
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;

  const auto u16 = [&](std::size_t at) -> std::uint32_t {
    return static_cast<std::uint32_t>(little ? tiff[at + 1] << 8 | tiff[at]
                                             : tiff[at] << 8 | tiff[at + 1]);
  };
  const auto u32 = [&](std::size_t at) -> std::uint32_t {
    return little ? u16(at + 2) << 16 | u16(at) : u16(at) << 16 | u16(at + 2);
  };
  if (u16(2) != 42) return 1;
  const std::size_t directory = u32(4);
  if (directory > tiff.size() - 2) return 1;

  int orientation = 1;
  const std::size_t entries = u16(directory);
  for (std::size_t entry = 0, at = directory + 2; entry < entries; ++entry, at += entry_bytes) {
    if (at + entry_bytes > tiff.size()) break;
    if (u16(at) != orientation_tag || u16(at + 2) != short_type || u32(at + 4) != 1) continue;
    const std::uint32_t value = u16(at + 8);
    orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return orientation;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swaps_axes = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;

  Image seen{.width = swaps_axes ? image.height : image.width,
             .height = swaps_axes ? image.width : image.height,
             .pixels = std::vector<std::uint8_t>(image.pixels.size()),
             .orientation = image.orientation};
  std::uint8_t* to = seen.pixels.data();
  for (Index row = 0; row < seen.height; ++row) {
    for (Index column = 0; column < seen.width; ++column, to += 3) {
      const Index x = swaps_axes ? row : column;
      const Index y = swaps_axes ? column : row;
      const Index from_x = from_right ? image.width - 1 - x : x;
      const Index from_y = from_bottom ? image.height - 1 - y : y;
      const std::uint8_t* from = image.pixels.data() + (from_y * image.width + from_x) * 3;
      to[0] = from[0], to[1] = from[1], to[2] = from[2];
    }
  }
  return seen;
}

}  // namespace stamp
