// SPDX-License-Identifier: Apache-2.0
// An 8-bit float: 1 sign, 4 bits of exponent, 3 of mantissa; torch.float8_e4m3fn's format (OCP
// 8-bit floating point specification 1.0, E4M3). No infinities; 0x7f and 0xff are NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace stamp::cuda {

/// ±2^(e - 7)·(1 + m/8) for e = 1 … 15, ±m·2^-9 for e = 0; the largest number is 448.
struct float8_e4m3 {
  std::uint8_t bits = 0;

  constexpr float8_e4m3() = default;
  /// Rounds to nearest, ties to even. What lies beyond ±448, infinity too, becomes ±448, where
  /// torch.float8_e4m3fn becomes NaN; NaN stays NaN.
  constexpr explicit float8_e4m3(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = word >> 24U & 0x80U;
    const std::uint32_t magnitude = word & 0x7fffffffU;
    std::uint32_t code = 0x7f;  // NaN
    if (magnitude < least_normal) {
      // The sum's last bit is 2^-9, so that the addition rounds.
      constexpr float unit = 0x1p14F;
      code = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + unit) -
             std::bit_cast<std::uint32_t>(unit);
    } else if (magnitude < past_largest) {
      code = ((magnitude + 0x7ffffU + (magnitude >> 20U & 1U)) >> 20U) - (120U << 3U);
    } else if (magnitude <= infinity) {
      code = 0x7e;
    }
    bits = static_cast<std::uint8_t>(sign | code);
  }
  /// Exact.
  constexpr explicit operator float() const {
    const std::uint32_t sign = (bits & 0x80U) << 24U;
    const std::uint32_t code = bits & 0x7fU;
    if (code == 0x7fU) return std::bit_cast<float>(sign | 0x7fc00000U);
    // The fields where float32 has its own: the exponent is then too small by 127 - 7.
    return std::bit_cast<float>(sign | code << 20U) * 0x1p120F;
  }

 private:
  static constexpr std::uint32_t least_normal = 0x3c800000;  ///< 2^-6
  static constexpr std::uint32_t past_largest = 0x43e80000;  ///< 464, halfway to what would be 480
  static constexpr std::uint32_t infinity = 0x7f800000;
};

}  // namespace stamp::cuda
