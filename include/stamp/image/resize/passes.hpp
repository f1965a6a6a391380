// SPDX-License-Identifier: Apache-2.0
// The two passes of a separable resize of RGB rows: along the rows first, then along the columns,
// the order of Pillow 12 and of torch. A pass is left out where its axis keeps its size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stamp/image/resize/filter.hpp>

namespace stamp::detail {

/// 8-bit samples times fixed-point weights, rounded half up and clamped, in 32-bit integers.
struct FixedSum {
  int bits;
  [[nodiscard]] int start() const { return 1 << (bits - 1); }
  [[nodiscard]] int add(int sum, int weight, int sample) const { return sum + weight * sample; }
  [[nodiscard]] std::uint8_t result(int sum) const {
    return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
  }
};

/// Float samples, summed in the order of the input.
struct FloatSum {
  [[nodiscard]] float start() const { return 0; }
  [[nodiscard]] float add(float sum, float weight, float sample) const {
    return sum + weight * sample;
  }
  [[nodiscard]] float result(float sum) const { return sum; }
};

/// Filters along the rows: from [rows, columns, 3] to [rows, outputs, 3].
template <class T, class Weight, class Sum>
[[nodiscard]] std::vector<T> resize_rows(const std::vector<T>& from, Index rows, Index columns,
                                         const AxisFilter<Weight>& axis, const Sum& sum) {
  const Index outputs = std::ssize(axis.firsts);
  std::vector<T> to(static_cast<std::size_t>(rows * outputs * 3));
  T* pixel = to.data();
  for (Index row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < axis.firsts.size(); ++i, pixel += 3) {
      const T* covered = from.data() + (row * columns + axis.firsts[i]) * 3;
      const Weight* weights = axis.weights.data() + static_cast<Index>(i) * axis.widest;
      Weight red = sum.start(), green = sum.start(), blue = sum.start();
      for (Index j = 0; j < axis.sizes[i]; ++j, covered += 3) {
        red = sum.add(red, weights[j], covered[0]);
        green = sum.add(green, weights[j], covered[1]);
        blue = sum.add(blue, weights[j], covered[2]);
      }
      pixel[0] = sum.result(red), pixel[1] = sum.result(green), pixel[2] = sum.result(blue);
    }
  }
  return to;
}

/// Filters along the columns: from [rows, samples] to [outputs, samples], samples = 3 · columns.
template <class T, class Weight, class Sum>
[[nodiscard]] std::vector<T> resize_columns(const std::vector<T>& from, Index samples,
                                            const AxisFilter<Weight>& axis, const Sum& sum) {
  std::vector<T> to(axis.firsts.size() * static_cast<std::size_t>(samples));
  std::vector<Weight> sums(
      static_cast<std::size_t>(samples));  // a row at a time keeps reads in order
  Weight* line = sums.data();
  T* target = to.data();
  for (std::size_t i = 0; i < axis.firsts.size(); ++i, target += samples) {
    std::fill(sums.begin(), sums.end(), sum.start());
    for (Index j = 0; j < axis.sizes[i]; ++j) {
      const Weight weight =
          axis.weights[i * static_cast<std::size_t>(axis.widest) + static_cast<std::size_t>(j)];
      const T* row = from.data() + (axis.firsts[i] + j) * samples;
      for (Index s = 0; s < samples; ++s) line[s] = sum.add(line[s], weight, row[s]);
    }
    for (Index s = 0; s < samples; ++s) target[s] = sum.result(line[s]);
  }
  return to;
}

}  // namespace stamp::detail
