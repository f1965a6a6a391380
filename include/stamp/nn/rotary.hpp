// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: from positions to the angles by which pairs of a head turn.
#pragma once

#include <cmath>
#include <span>
#include <stamp/ops/backend.hpp>
#include <vector>

namespace stamp {

/// Cosine and sine of every (row, pair), in the engine's memory.
template <class B, Axis Row>
struct Rotary {
  View<const typename B::Number, Row, Pairs> cosine;
  View<const typename B::Number, Row, Pairs> sine;
};

/// theta^(-2j/dim) for j = 0 … dim/2-1, in the precision that the model computes angles in.
template <std::floating_point Number>
[[nodiscard]] std::vector<Number> inverse_frequencies(double theta, Index dim) {
  std::vector<Number> inverse(static_cast<std::size_t>(dim / 2));
  for (std::size_t j = 0; j < inverse.size(); ++j) {
    const Number exponent = static_cast<Number>(2 * j) / static_cast<Number>(dim);
    inverse[j] = 1 / std::pow(static_cast<Number>(theta), exponent);
  }
  return inverse;
}

/// Rotary tables from angles [Row, Pairs] (radians, row-major), rounded to `Round` on the way:
/// the language model casts cosine and sine to its hidden type, the vision tower keeps Numbers.
template <class Round, Backend B, Axis Row>
[[nodiscard]] Rotary<B, Row> rotary(B& engine, Row row, Pairs pairs,
                                    std::span<const typename B::Number> angles) {
  using Number = typename B::Number;
  std::vector<Number> cosine(angles.size());
  std::vector<Number> sine(angles.size());
  for (std::size_t at = 0; at < angles.size(); ++at) {
    cosine[at] = static_cast<Number>(static_cast<Round>(std::cos(angles[at])));
    sine[at] = static_cast<Number>(static_cast<Round>(std::sin(angles[at])));
  }
  auto cosine_view = engine.template allocate<Number>(row, pairs);
  auto sine_view = engine.template allocate<Number>(row, pairs);
  engine.upload(cosine_view, std::span<const Number>(cosine));
  engine.upload(sine_view, std::span<const Number>(sine));
  return {cosine_view, sine_view};
}

}  // namespace stamp
