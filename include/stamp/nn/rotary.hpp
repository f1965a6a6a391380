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
void inverse_frequencies(std::vector<Number>& inverse, double theta, Index dim) {
  inverse.resize(static_cast<std::size_t>(dim / 2));
  for (std::size_t j = 0; j < inverse.size(); ++j) {
    const Number exponent = static_cast<Number>(2 * j) / static_cast<Number>(dim);
    inverse[j] = 1 / std::pow(static_cast<Number>(theta), exponent);
  }
}

/// Host memory in which rotary tables are made. Who makes one every token keeps this, so that
/// nothing is allocated twice.
template <std::floating_point Number>
struct AngleTable {
  std::vector<Number> inverse{};  ///< inverse_frequencies
  std::vector<Number> angles{};   ///< radians, [Row, Pairs] row-major
  std::vector<Number> turned{};   ///< their cosines or sines
};

/// Rotary tables from table.angles, rounded to `Round` on the way: the language model casts cosine
/// and sine to its hidden type, the vision tower keeps Numbers.
template <class Round, Backend B, Axis Row>
[[nodiscard]] Rotary<B, Row> rotary(B& engine, Row row, Pairs pairs,
                                    AngleTable<typename B::Number>& table) {
  using Number = typename B::Number;
  const auto turned = [&](auto turn) {
    table.turned.clear();
    for (const Number angle : table.angles) {
      table.turned.push_back(static_cast<Number>(static_cast<Round>(turn(angle))));
    }
    auto view = engine.template allocate<Number>(row, pairs);
    engine.upload(view, std::span<const Number>(table.turned));
    return view;
  };
  const auto cosine = turned([](Number angle) { return std::cos(angle); });
  return {cosine, turned([](Number angle) { return std::sin(angle); })};
}

}  // namespace stamp
