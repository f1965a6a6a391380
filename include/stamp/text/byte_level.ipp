// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/byte_level.hpp>.
#pragma once

#include <cstddef>
#include <stamp/text/byte_level.hpp>

namespace stamp::text {

std::string byte_level_spelling(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) {
    append_utf8(spelling, byte_characters[static_cast<unsigned char>(byte)]);
  }
  return spelling;
}

std::string bytes_of_spelling(std::string_view spelling) {
  static constexpr std::size_t characters = 0x144;  // the alphabet ends at U+0143
  static constexpr std::array<int, characters> bytes = [] {
    std::array<int, characters> table{};
    table.fill(-1);
    for (std::size_t byte = 0; byte < 256; ++byte) {
      table[byte_characters[byte]] = static_cast<int>(byte);
    }
    return table;
  }();
  std::string result;
  result.reserve(spelling.size());
  for (std::string_view rest = spelling; !rest.empty();) {
    const char32_t point = front_code_point(rest);
    if (point >= characters || bytes[point] < 0) return std::string(spelling);
    result.push_back(static_cast<char>(bytes[point]));
    rest.remove_prefix(utf8_length(rest.substr(0, 4)));
  }
  return result;
}

}  // namespace stamp::text
