// SPDX-License-Identifier: Apache-2.0
// Windows and OS/2 bitmaps to RGB with Pillow's pixels: 1, 4, 8 bits with palette (plain or
// run-length), 16, 24 and 32 bits, rows in either direction. Mirrors PIL/BmpImagePlugin.py.
#pragma once

#include <array>
#include <stamp/image/byte_reader.hpp>
#include <stamp/image/image.hpp>

namespace stamp::detail {

enum class BmpCompression : std::uint32_t { none = 0, rle8 = 1, rle4 = 2, masks = 3 };

struct BmpHeader {
  Index width = 0;
  Index height = 0;
  bool top_down = false;
  int bits = 0;  ///< a pixel
  BmpCompression compression = BmpCompression::none;
  std::array<std::uint32_t, 3> masks = {};  ///< of red, green, blue
  std::size_t palette_at = 0, palette_colours = 0, palette_entry_bytes = 0;
  std::size_t pixels_at = 0;
};

/// Throws Error{input} for a header that is cut or of a kind that Pillow does not read either.
[[nodiscard]] BmpHeader bmp_header(Bytes file);

/// Palette indices [height, width] of run-length data, rows in file order.
[[nodiscard]] std::vector<std::uint8_t> unpack_bmp_runs(Bytes file, const BmpHeader& header);

/// One colour of a 16- or 32-bit pixel, stretched to 8 bits by Pillow's v * 255 / largest.
[[nodiscard]] std::uint8_t bmp_channel(std::uint32_t pixel, std::uint32_t mask);

/// Throws Error{input}: "truncated at row R", or a layout of colour masks that is not supported.
[[nodiscard]] Image decode_bmp(Bytes file, const BmpHeader& header);

}  // namespace stamp::detail
