// SPDX-License-Identifier: Apache-2.0
// UTF-8 of untrusted text: where it breaks, and how it may be shown in a one-line message.
// Mirrors the Unicode Standard, table 3-7 (overlong forms and surrogates are invalid).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// Bytes of the well-formed UTF-8 sequence at the front of `text` (1 to 4); 0 when it is none.
[[nodiscard]] constexpr std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t at) -> unsigned {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const auto continues = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (text.empty()) return 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;   // E0 80..9F would be overlong
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;  // ED A0..BF would be a surrogate
    return byte(1) >= low && byte(1) <= high && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;   // F0 80..8F would be overlong
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;  // beyond U+10FFFF
    return byte(1) >= low && byte(1) <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Byte offset of the first sequence that is not UTF-8; empty when the whole text is UTF-8.
[[nodiscard]] constexpr std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length =
        static_cast<unsigned char>(text[at]) < 0x80 ? 1 : utf8_length(text.substr(at, 4));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

/// `text` for a message of one line: control characters and invalid bytes as \xHH, at most
/// `limit` bytes of the original, then "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace stamp::checkpoint
