// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/png_read.hpp>.
#pragma once

#include <algorithm>
#include <limits>
#include <stamp/image/detail/stb_image.hpp>
#include <stamp/image/png_read.hpp>

namespace stamp::detail {

std::span<const PngPass> png_passes(const PngHeader& header) {
  if (header.interlaced) return png_adam7;
  return png_one_pass;
}

PngExtent png_extent(const PngHeader& header, const PngPass& pass) {
  const Index columns =
      (header.width - pass.first_column + pass.column_step - 1) / pass.column_step;
  const Index rows = (header.height - pass.first_row + pass.row_step - 1) / pass.row_step;
  return {columns, columns > 0 ? rows : 0, (columns * header.samples() * header.depth + 7) / 8};
}

std::vector<std::uint8_t> inflate_png(Bytes compressed, Index size, Index row_bytes) {
  std::vector<std::uint8_t> raw(static_cast<std::size_t>(size));
  stb::stbi__zbuf stream = {};
  // stb only reads from `zbuffer`, whose type has lost its const.
  stream.zbuffer = const_cast<stb::stbi_uc*>(compressed.data());
  stream.zbuffer_end = stream.zbuffer + compressed.size();
  constexpr int fixed_size = 0, with_header = 1;
  if (size > std::numeric_limits<int>::max()) fail(Fault::input, "PNG rows need over 2 GB");
  const bool clean = stb::stbi__do_zlib(&stream, reinterpret_cast<char*>(raw.data()),
                                        static_cast<int>(size), fixed_size, with_header) != 0;
  const Index written = stream.zout == nullptr ? 0 : stream.zout - stream.zout_start;
  if (written < size) {
    fail(Fault::input, (clean ? "truncated at row " : "damaged compressed data after row ") +
                           std::to_string(written / (row_bytes + 1)) + " (PNG, " +
                           std::to_string(written) + " of " + std::to_string(size) + " bytes)");
  }
  return raw;
}

void unfilter_png_row(std::uint8_t filter, std::uint8_t* row, const std::uint8_t* above,
                      Index row_bytes, Index pixel_bytes, Index row_number) {
  const auto paeth = [](int a, int b, int c) {
    const int to_a = std::abs(b - c), to_b = std::abs(a - c), to_c = std::abs(a + b - 2 * c);
    return to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
  };
  if (filter > 4) {
    fail(Fault::input,
         "damaged PNG: filter " + std::to_string(filter) + " in row " + std::to_string(row_number));
  }
  if (filter == 0) return;
  for (Index i = 0; i < row_bytes; ++i) {
    const int left = i >= pixel_bytes ? row[i - pixel_bytes] : 0;
    const int up = above != nullptr ? above[i] : 0;
    const int corner = above != nullptr && i >= pixel_bytes ? above[i - pixel_bytes] : 0;
    const int guess = filter == 1   ? left
                      : filter == 2 ? up
                      : filter == 3 ? (left + up) / 2
                                    : paeth(left, up, corner);
    row[i] = static_cast<std::uint8_t>(row[i] + guess);
  }
}

std::uint8_t png_sample(const std::uint8_t* row, Index index, const PngHeader& header) {
  const int depth = header.depth;
  if (depth == 8) return row[index];
  if (depth == 16) {
    const std::uint8_t high = row[2 * index];
    if (header.colour != PngColour::grey) return high;
    return high != 0 ? 255 : row[2 * index + 1];  // Pillow's mode I;16 is clipped, not scaled
  }
  const Index bit = index * depth;
  const int largest = (1 << depth) - 1;
  const int value = row[bit / 8] >> (8 - depth - bit % 8) & largest;
  const bool is_index = header.colour == PngColour::palette;
  return static_cast<std::uint8_t>(is_index ? value : value * (255 / largest));
}

Image decode_png(const PngParts& parts) {
  const PngHeader& header = parts.header;
  const int samples = header.samples();
  const Index pixel_bytes = std::max(1, samples * header.depth / 8);

  Index size = 0;
  for (const PngPass& pass : png_passes(header)) {
    const PngExtent extent = png_extent(header, pass);
    size += extent.rows * (extent.row_bytes + 1);
  }
  const Index full_row = png_extent(header, png_one_pass[0]).row_bytes;
  std::vector<std::uint8_t> raw = inflate_png(parts.compressed, size, full_row);

  Image image{.width = header.width, .height = header.height, .orientation = parts.orientation};
  image.pixels.resize(static_cast<std::size_t>(header.width * header.height * 3));
  std::uint8_t* next = raw.data();
  for (const PngPass& pass : png_passes(header)) {
    const PngExtent extent = png_extent(header, pass);
    const std::uint8_t* above = nullptr;
    for (Index r = 0; r < extent.rows; ++r) {
      std::uint8_t* row = next + 1;
      unfilter_png_row(*next, row, above, extent.row_bytes, pixel_bytes, r);
      const Index y = pass.first_row + r * pass.row_step;
      for (Index c = 0; c < extent.columns; ++c) {
        const Index x = pass.first_column + c * pass.column_step;
        std::uint8_t* pixel = image.pixels.data() + (y * header.width + x) * 3;
        const std::uint8_t first = png_sample(row, c * samples, header);
        if (header.colour == PngColour::palette) {
          std::ranges::copy(parts.palette[first], pixel);
        } else if (samples < 3) {
          pixel[0] = pixel[1] = pixel[2] = first;
        } else {
          pixel[0] = first;
          pixel[1] = png_sample(row, c * samples + 1, header);
          pixel[2] = png_sample(row, c * samples + 2, header);
        }
      }
      above = row;
      next = row + extent.row_bytes;
    }
  }
  return image;
}

}  // namespace stamp::detail
