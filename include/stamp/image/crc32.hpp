// SPDX-License-Identifier: Apache-2.0
// The CRC-32 of PNG and zlib (ISO 3309, polynomial 0xEDB88320 reflected).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace stamp::detail {

inline constexpr std::array<std::uint32_t, 256> crc32_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
    }
    table[byte] = value;
  }
  return table;
}();

/// CRC-32 of `bytes`; equals Python's zlib.crc32.
[[nodiscard]] constexpr std::uint32_t crc32(std::span<const std::uint8_t> bytes) {
  std::uint32_t value = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    value = crc32_table[(value ^ byte) & 0xFFU] ^ (value >> 8);
  }
  return value ^ 0xFFFFFFFFU;
}

}  // namespace stamp::detail
