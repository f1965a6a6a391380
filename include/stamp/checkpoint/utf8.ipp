// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/utf8.hpp>.
#pragma once

#include <stamp/checkpoint/utf8.hpp>

namespace stamp::checkpoint {

std::string printable(std::string_view text, std::size_t limit) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    if (at >= limit) return shown + "...";
    const std::size_t length = utf8_length(text.substr(at, 4));
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      shown += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      at += 1;
    } else {
      shown += text.substr(at, length);
      at += length;
    }
  }
  return shown;
}

}  // namespace stamp::checkpoint
