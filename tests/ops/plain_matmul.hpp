// SPDX-License-Identifier: Apache-2.0
// The product that tests hold engines against.
#pragma once

#include <stamp/tensor/axis.hpp>
#include <vector>

namespace stamp::test {

/// y[r, o] = Σ_i x[r, i]·w[o, i] + bias[o], in double.
inline std::vector<double> plain_matmul(const std::vector<double>& x, const std::vector<double>& w,
                                        const std::vector<double>& bias, Index rows, Index in,
                                        Index out) {
  std::vector<double> y;
  for (Index row = 0; row < rows; ++row) {
    for (Index o = 0; o < out; ++o) {
      double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
      for (Index i = 0; i < in; ++i) {
        sum += x[static_cast<std::size_t>(row * in + i)] * w[static_cast<std::size_t>(o * in + i)];
      }
      y.push_back(sum);
    }
  }
  return y;
}

}  // namespace stamp::test
