// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/resize/filter.hpp>.
#pragma once

#include <stamp/image/resize/filter.hpp>

namespace stamp::detail {

int round_away(double value) { return static_cast<int>(value < 0 ? value - 0.5 : value + 0.5); }

FixedAxis fixed_axis(const AxisFilter<double>& real, int bits) {
  FixedAxis fixed{.filter = {real.widest, real.firsts, real.sizes, {}}, .bits = bits};
  fixed.filter.weights.reserve(real.weights.size());
  for (const double weight : real.weights) {
    fixed.filter.weights.push_back(round_away(weight * static_cast<double>(1 << bits)));
  }
  return fixed;
}

}  // namespace stamp::detail
