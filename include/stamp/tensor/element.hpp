// SPDX-License-Identifier: Apache-2.0
// Element types of activations and the type that sums over them are taken in.
// half (xtl) is an element, too; it stands in tensor/half.hpp because its header is a large one.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace stamp {

/// The upper 16 bits of a float32: 8 bits of exponent, 7 of mantissa. Arithmetic happens in float.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  /// Rounds to nearest, ties to even, as torch.Tensor.bfloat16() does; NaN stays a quiet NaN.
  constexpr explicit bfloat16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool nan = (word & 0x7fffffffU) > 0x7f800000U;
    const std::uint32_t rounded = word + 0x7fffU + ((word >> 16U) & 1U);
    bits = static_cast<std::uint16_t>(nan ? ((word >> 16U) | 0x40U) : (rounded >> 16U));
  }
  constexpr explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
};

/// Specialised to true by tensor/half.hpp for its type.
template <class T>
inline constexpr bool is_half = false;

/// A floating-point type that activations can have.
template <class T>
concept Element =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, bfloat16> || is_half<T>;

/// Sums over elements of type T are taken in this type: double for double, float for all others.
template <Element T>
using Accumulator = std::conditional_t<std::same_as<T, double>, double, float>;

/// Exact conversion to the accumulator.
template <Element T>
[[nodiscard]] constexpr Accumulator<T> widen(T value) {
  return static_cast<Accumulator<T>>(value);
}

/// Rounds an accumulator to the element type.
template <Element T>
[[nodiscard]] constexpr T narrow(Accumulator<T> value) {
  return static_cast<T>(value);
}

}  // namespace stamp
