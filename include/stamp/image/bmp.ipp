// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/bmp.hpp>.
#pragma once

#include <algorithm>
#include <bit>
#include <stamp/image/bmp.hpp>

namespace stamp::detail {

BmpHeader bmp_header(Bytes file) {
  constexpr std::uint32_t os2_header_bytes = 12;
  constexpr std::size_t file_header_bytes = 14;
  ByteReader reader(file, "BMP header");
  reader.seek(10);
  BmpHeader header;
  header.pixels_at = reader.u32_little();
  const std::uint32_t size = reader.u32_little();
  std::uint32_t colours = 0;
  if (size == os2_header_bytes) {
    header.width = reader.u16_little();
    header.height = reader.u16_little();
    (void)reader.u16_little();  // planes
    header.bits = static_cast<int>(reader.u16_little());
    header.palette_entry_bytes = 3;
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    header.width = static_cast<std::int32_t>(reader.u32_little());
    const Index height = static_cast<std::int32_t>(reader.u32_little());
    header.top_down = height < 0;
    header.height = height < 0 ? -height : height;
    (void)reader.u16_little();  // planes
    header.bits = static_cast<int>(reader.u16_little());
    header.compression = static_cast<BmpCompression>(reader.u32_little());
    (void)reader.take(12);  // size of the data, resolution
    colours = reader.u32_little();
    header.palette_entry_bytes = 4;
  } else {
    fail(Fault::input, "BMP header of " + std::to_string(size) + " bytes not supported");
  }

  const int bits = header.bits;
  const bool indexed = bits == 1 || bits == 4 || bits == 8;
  if (!indexed && bits != 16 && bits != 24 && bits != 32) {
    fail(Fault::input, "BMP with " + std::to_string(bits) + " bits a pixel not supported");
  }
  std::size_t after = file_header_bytes + size;
  if (header.compression == BmpCompression::masks && !indexed) {
    reader.seek(file_header_bytes + 40);  // in the header or, with a short one, right behind it
    for (std::uint32_t& mask : header.masks) mask = reader.u32_little();
    after = std::max(after, reader.position());
  } else if (header.compression != BmpCompression::none &&
             !(header.compression == BmpCompression::rle8 && bits == 8) &&
             !(header.compression == BmpCompression::rle4 && bits == 4)) {
    fail(Fault::input, "BMP compression " +
                           std::to_string(static_cast<std::uint32_t>(header.compression)) +
                           " with " + std::to_string(bits) + " bits not supported");
  }
  if (indexed) {
    header.palette_at = after;
    header.palette_colours = colours != 0 ? colours : std::size_t{1} << bits;
    if (header.palette_colours > 65536) {
      fail(Fault::input, "BMP palette of " + std::to_string(header.palette_colours) + " colours");
    }
  }
  if (header.pixels_at == 0) {
    header.pixels_at = after + header.palette_colours * header.palette_entry_bytes;
  }
  return header;
}

std::vector<std::uint8_t> unpack_bmp_runs(Bytes file, const BmpHeader& header) {
  const bool nibbles = header.compression == BmpCompression::rle4;
  const auto size = static_cast<std::size_t>(header.width * header.height);
  const auto width = static_cast<std::size_t>(header.width);
  std::vector<std::uint8_t> indices;
  indices.reserve(size);
  ByteReader reader(file, "BMP");
  reader.seek(header.pixels_at);
  const auto append = [&](std::uint32_t index, std::size_t count = 1) {
    indices.insert(indices.end(), std::min(count, size - indices.size()),
                   static_cast<std::uint8_t>(index));
  };
  std::size_t x = 0;  // Pillow's count of the row, which cuts runs at the row's end
  while (indices.size() < size) {
    const std::uint32_t count = reader.u8(), value = reader.u8();
    if (count != 0) {
      const std::size_t run = std::min<std::size_t>(count, width - std::min(x, width));
      for (std::size_t i = 0; i < run; ++i) {
        append(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
      }
      x += run;
    } else if (value == 0) {  // end of row
      append(0, (width - indices.size() % width) % width);
      x = 0;
    } else if (value == 1) {  // end of picture
      fail(Fault::input, "truncated at row " + std::to_string(indices.size() / width) + " (BMP)");
    } else if (value == 2) {  // jump
      const std::uint32_t right = reader.u8(), up = reader.u8();
      append(0, right + up * width);
      x = indices.size() % width;
    } else {  // literal indices, padded to 16 bits
      for (std::uint32_t i = 0; i < value; i += nibbles ? 2 : 1) {
        const std::uint32_t byte = reader.u8();
        append(nibbles ? byte >> 4 : byte);
        if (nibbles && i + 1 < value) append(byte & 15);
      }
      x += value;
      if (reader.position() % 2 != 0 && reader.left() > 0) (void)reader.u8();
    }
  }
  return indices;
}

std::uint8_t bmp_channel(std::uint32_t pixel, std::uint32_t mask) {
  const int shift = std::countr_zero(mask);
  const std::uint32_t largest = mask >> shift;
  return static_cast<std::uint8_t>((pixel >> shift & largest) * 255 / largest);
}

Image decode_bmp(Bytes file, const BmpHeader& header) {
  Image image{.width = header.width, .height = header.height};
  const Index row_bytes = (header.width * header.bits + 31) / 32 * 4;
  std::array<std::array<std::uint8_t, 3>, 256> palette = {};
  if (header.palette_colours > 0) {
    ByteReader reader(file, "BMP palette");
    reader.seek(header.palette_at);
    const std::size_t entry = header.palette_entry_bytes;
    for (std::size_t i = 0; i < std::min<std::size_t>(header.palette_colours, 256); ++i) {
      if (reader.left() < entry) break;  // missing colours are black
      const Bytes blue_green_red = reader.take(entry);
      palette[i] = {blue_green_red[2], blue_green_red[1], blue_green_red[0]};
    }
  }
  std::array<std::uint32_t, 3> masks = header.masks;
  if (masks == std::array<std::uint32_t, 3>{}) {
    masks = header.bits == 16 ? std::array<std::uint32_t, 3>{0x7C00, 0x03E0, 0x001F}
                              : std::array<std::uint32_t, 3>{0xFF0000, 0xFF00, 0xFF};
  }
  for (const std::uint32_t mask : masks) {
    const std::uint32_t largest = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if (largest != 0xFF && !(header.bits == 16 && (largest == 0x1F || largest == 0x3F))) {
      fail(Fault::input, "BMP with unusual colour masks not supported");
    }
  }

  const bool runs =
      header.compression == BmpCompression::rle8 || header.compression == BmpCompression::rle4;
  const std::vector<std::uint8_t> indices =
      runs ? unpack_bmp_runs(file, header) : std::vector<std::uint8_t>{};
  const Bytes data = header.pixels_at < file.size() ? file.subspan(header.pixels_at) : Bytes{};
  if (!runs && std::ssize(data) < row_bytes * header.height) {
    fail(Fault::input, "truncated at row " + std::to_string(std::ssize(data) / row_bytes) + " of " +
                           std::to_string(header.height) + " (BMP)");
  }
  image.pixels.resize(static_cast<std::size_t>(header.width * header.height * 3));
  for (Index r = 0; r < header.height; ++r) {
    const Index y = header.top_down ? r : header.height - 1 - r;
    std::uint8_t* pixel = image.pixels.data() + y * header.width * 3;
    const std::uint8_t* row =
        runs ? indices.data() + r * header.width : data.data() + r * row_bytes;
    for (Index x = 0; x < header.width; ++x, pixel += 3) {
      if (header.bits <= 8) {
        const Index bit = x * header.bits;
        const int index =
            runs ? row[x] : row[bit / 8] >> (8 - header.bits - bit % 8) & ((1 << header.bits) - 1);
        std::ranges::copy(palette[static_cast<std::size_t>(index)], pixel);
      } else {
        std::uint32_t value = 0;
        for (int byte = 0; byte < header.bits / 8; ++byte) {
          value |= static_cast<std::uint32_t>(row[x * header.bits / 8 + byte]) << (8 * byte);
        }
        for (std::size_t c = 0; c < 3; ++c) pixel[c] = bmp_channel(value, masks[c]);
      }
    }
  }
  return image;
}

}  // namespace stamp::detail
