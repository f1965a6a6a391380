// SPDX-License-Identifier: Apache-2.0
// Rotary tables of angles that a test chooses.
#pragma once

#include <cmath>
#include <stamp/nn/rotary.hpp>

namespace stamp::test {

/// `angles` in radians, [Row, Pairs] row-major.
template <Backend B, Axis Row>
[[nodiscard]] Rotary<B, Row> turned_by(B& engine, Row row, Pairs pairs,
                                       const std::vector<typename B::Number>& angles) {
  using Number = typename B::Number;
  std::vector<Number> cosines;
  std::vector<Number> sines;
  for (const Number angle : angles) {
    cosines.push_back(std::cos(angle));
    sines.push_back(std::sin(angle));
  }
  return rotary(engine, row, pairs, std::span<const Number>(cosines),
                std::span<const Number>(sines));
}

}  // namespace stamp::test
