// SPDX-License-Identifier: Apache-2.0
// PNG to RGB with the pixels of Pillow 12's Image.open(path).convert("RGB"): palettes looked up,
// alpha, tRNS and gAMA dropped, 16-bit colour cut to its high byte, 16-bit grey CLIPPED at 255.
// The zlib stream is inflated by stb_image; the rest is here because stb differs in those rules.
#pragma once

#include <stamp/image/png_check.hpp>

namespace stamp::detail {

/// One sub-image of the file: the whole picture, or one of the seven passes of Adam7.
struct PngPass {
  Index first_column, first_row, column_step, row_step;
};
inline constexpr std::array<PngPass, 1> png_one_pass = {{{0, 0, 1, 1}}};
inline constexpr std::array<PngPass, 7> png_adam7 = {{{0, 0, 8, 8},
                                                      {4, 0, 8, 8},
                                                      {0, 4, 4, 8},
                                                      {2, 0, 4, 4},
                                                      {0, 2, 2, 4},
                                                      {1, 0, 2, 2},
                                                      {0, 1, 1, 2}}};

[[nodiscard]] std::span<const PngPass> png_passes(const PngHeader& header);

struct PngExtent {
  Index columns, rows, row_bytes;  ///< row_bytes without the filter byte that stands before a row
};

[[nodiscard]] PngExtent png_extent(const PngHeader& header, const PngPass& pass);

/// Inflates exactly `size` bytes; a stream that would give more stops there (as in Pillow), so a
/// small file cannot claim more memory than its header says.
[[nodiscard]] std::vector<std::uint8_t> inflate_png(Bytes compressed, Index size, Index row_bytes);

/// Undoes the row's filter in place (PNG section 9); `above` is null in a first row.
void unfilter_png_row(std::uint8_t filter, std::uint8_t* row, const std::uint8_t* above,
                      Index row_bytes, Index pixel_bytes, Index row_number);

/// Sample `index` of an unfiltered row as 8 bits, by Pillow's rules.
[[nodiscard]] std::uint8_t png_sample(const std::uint8_t* row, Index index,
                                      const PngHeader& header);

/// Decodes a checked PNG. Throws Error{input} naming the row where the data fail.
[[nodiscard]] Image decode_png(const PngParts& parts);

}  // namespace stamp::detail
