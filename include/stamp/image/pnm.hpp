// SPDX-License-Identifier: Apache-2.0
// Netpbm pictures P1 to P6 to RGB with Pillow's pixels. Mirrors PIL/PpmImagePlugin.py.
#pragma once

#include <stamp/image/byte_reader.hpp>
#include <stamp/image/image.hpp>

namespace stamp::detail {

struct PnmHeader {
  int kind = 0;  ///< the digit of P1..P6: bits, grey, colour as text (1..3), then as bytes (4..6)
  Index width = 0;
  Index height = 0;
  Index largest = 1;  ///< value of white, 1..65535
  std::size_t pixels_at = 0;

  [[nodiscard]] bool is_text() const { return kind <= 3; }
  [[nodiscard]] bool is_bits() const { return kind == 1 || kind == 4; }
  [[nodiscard]] Index samples() const { return kind == 3 || kind == 6 ? 3 : 1; }
};

[[nodiscard]] bool is_pnm_space(std::uint32_t byte);

/// The next non-negative number, comments and white space before it skipped; the one byte that ends
/// it is taken, too. Throws Error{input} where there is none or it has more than 10 digits.
[[nodiscard]] Index next_pnm_number(ByteReader& reader);

[[nodiscard]] PnmHeader pnm_header(Bytes file);

/// A sample as 8 bits. Pillow stretches to 255 with rounding half to even; grey of more than 8 bits
/// it stretches to 65535 and then CLIPS at 255.
[[nodiscard]] std::uint8_t pnm_level(Index value, const PnmHeader& header);

/// Throws Error{input}: "truncated at row R", a sample over the largest value, or no number.
[[nodiscard]] Image decode_pnm(Bytes file, const PnmHeader& header);

}  // namespace stamp::detail
