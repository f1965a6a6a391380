// SPDX-License-Identifier: Apache-2.0
// The bicubic filter (Keys 1981, a = -0.5), the triangle, and, for each output position, the input
// positions it covers with their weights: what Pillow (Resample.c, precompute_coeffs) and torch
// (UpSampleKernel.cpp, _compute_indices_min_size_weights_aa) have in common. When an image shrinks
// the filter widens with the scale ("antialias").
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp::detail {

/// The filter of one axis: output i is the sum over j < sizes[i] of
/// weights[i * widest + j] · input[firsts[i] + j]. The weights of an output sum to one.
template <class T>
struct AxisFilter {
  Index widest = 0;  ///< weights kept for each output, unused ones are zero
  std::vector<Index> firsts;
  std::vector<Index> sizes;
  std::vector<T> weights;
};

/// Keys' cubic; `Real` and the order of operations are those of the mirrored library.
template <class Real>
[[nodiscard]] Real bicubic(Real x) {
  constexpr Real a = Real(-0.5);
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// The triangle of "bilinear" with antialias.
template <class Real>
[[nodiscard]] Real triangle(Real x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

/// Weights in `Real`, from `input` to `output` positions, of a filter that is zero from `reach` on.
/// Source as above.
template <class Real>
[[nodiscard]] AxisFilter<Real> filter_axis(Real (*filter)(Real), Real reach, Index input,
                                           Index output) {
  const Real scale = static_cast<Real>(input) / static_cast<Real>(output);
  const Real stretch = std::max(scale, Real(1));
  const Real support = reach * stretch;
  AxisFilter<Real> axis;
  axis.widest = static_cast<Index>(std::ceil(support)) * 2 + 1;
  axis.weights.resize(static_cast<std::size_t>(axis.widest * output));
  for (Index i = 0; i < output; ++i) {
    const Real centre = scale * (static_cast<Real>(i) + Real(0.5));
    const Index first = std::max<Index>(static_cast<Index>(centre - support + Real(0.5)), 0);
    const Index end = std::min<Index>(static_cast<Index>(centre + support + Real(0.5)), input);
    Real* weights = axis.weights.data() + i * axis.widest;
    Real sum = 0;
    for (Index j = 0; j < end - first; ++j) {
      weights[j] = filter((static_cast<Real>(j + first) - centre + Real(0.5)) * (1 / stretch));
      sum += weights[j];
    }
    for (Index j = 0; j < end - first && sum != 0; ++j) weights[j] /= sum;
    axis.firsts.push_back(first);
    axis.sizes.push_back(end - first);
  }
  return axis;
}

template <class Real>
[[nodiscard]] AxisFilter<Real> bicubic_axis(Index input, Index output) {
  return filter_axis<Real>(bicubic<Real>, 2, input, output);
}
template <class Real>
[[nodiscard]] AxisFilter<Real> bilinear_axis(Index input, Index output) {
  return filter_axis<Real>(triangle<Real>, 1, input, output);
}

/// Rounds to the nearest integer, halves away from zero, as `(int)(v ± 0.5)` does in both sources.
[[nodiscard]] int round_away(double value);

/// Fixed-point weights: value · 2^bits.
struct FixedAxis {
  AxisFilter<int> filter;
  int bits = 0;
};

[[nodiscard]] FixedAxis fixed_axis(const AxisFilter<double>& real, int bits);

}  // namespace stamp::detail
