// SPDX-License-Identifier: Apache-2.0
// What the engine keeps a matrix in: its element type, or 8 bits a number and a scale a row.
#pragma once

#include <concepts>
#include <initializer_list>
#include <stamp/cuda/float8.hpp>
#include <string_view>

namespace stamp::cuda {

/// How an Engine<bfloat16> keeps the big matrices of the language model. Activations and everything
/// else are bfloat16 in all of them.
enum class Weights {
  full,  ///< in the engine's element type
  int8,  ///< scale·code, code from -127 to 127; the row's largest magnitude is 127·scale
  fp8,   ///< scale·code, code a float8_e4m3; the row's largest magnitude is 448·scale
};

/// The 8 bits of a number.
template <class C>
concept Code = std::same_as<C, std::int8_t> || std::same_as<C, float8_e4m3>;

/// What the largest magnitude of a row becomes.
template <Code C>
inline constexpr float largest_code = std::same_as<C, std::int8_t> ? 127 : 448;

/// What numbers of type W are kept as.
template <class W>
inline constexpr Weights kept_as = std::same_as<W, std::int8_t>   ? Weights::int8
                                   : std::same_as<W, float8_e4m3> ? Weights::fp8
                                                                  : Weights::full;

[[nodiscard]] constexpr std::string_view name_of(Weights weights) {
  return weights == Weights::int8  ? "int8"
         : weights == Weights::fp8 ? "fp8"
                                   : "the engine's element type";
}

/// The Weights of that name, "int8" or "fp8"; full for every other.
[[nodiscard]] constexpr Weights weights_named(std::string_view name) {
  for (const Weights weights : {Weights::int8, Weights::fp8}) {
    if (name_of(weights) == name) return weights;
  }
  return Weights::full;
}

}  // namespace stamp::cuda
