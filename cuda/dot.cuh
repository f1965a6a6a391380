// SPDX-License-Identifier: Apache-2.0
// A warp's share of a row of weights times a few rows of activations, in registers. Weights are in
// the element type, or Codes; sums of Codes are taken without their scale, which multiplies the
// whole sum once.
#pragma once

#include <stamp/cuda/block.cuh>
#include <stamp/cuda/codes.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

inline constexpr int product_rows = static_cast<int>(skinny_rows);

/// sum[row] += w[k…k+7] · x[row][k…k+7] for the k of this lane: k = 8·lane, + 256, …
template <Element T>
__host__ __device__ void dot_rows(const T* w, Erased<const T> x, Index first, int rows, int lane,
                                  bool aligned, float* sum) {
#pragma unroll 2
  for (Index k = lane * eight; k < x.columns; k += warp_size * eight) {
    const Index left = x.columns - k;
    const Eight<T> weights = load_eight<T>(w + k, left, aligned);
#pragma unroll
    for (int row = 0; row < product_rows; ++row) {
      if (row >= rows) continue;
      const Eight<T> numbers = load_eight<T>(x.data + (first + row) * x.stride + k, left, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[row] += widen(weights.at[i]) * widen(numbers.at[i]);
    }
  }
}

/// Loads of 16 codes that a lane has under way at once.
inline constexpr int code_loads = 4;

/// sum[row] += codes[0 … 15] · x[row][0 … 15], all of them aligned.
template <Code C>
__host__ __device__ void dot_sixteen(const Words& codes, const bfloat16* x, Index stride, int rows,
                                     float* sum) {
  float weights[16];
  widen_sixteen<C>(codes, weights);
#pragma unroll
  for (int row = 0; row < product_rows; ++row) {
    if (row >= rows) continue;
#pragma unroll
    for (int half = 0; half < 16; half += 8) {
      const Words numbers = load_words(x + row * stride + half);
#pragma unroll
      for (int i = 0; i < 8; i += 2) {
        float pair[2];
        widen_two(numbers.at[i / 2], pair);
        sum[row] += weights[half + i] * pair[0];
        sum[row] += weights[half + i + 1] * pair[1];
      }
    }
  }
}

/// dot_rows for codes: k = 16·lane, + 512, …, each with the fifteen that follow. `aligned` holds
/// for w and x, and a row is then whole multiples of 16 codes.
template <std::same_as<bfloat16> T, Code C>
__host__ __device__ void dot_rows(const C* w, Erased<const T> x, Index first, int rows, int lane,
                                  bool aligned, float* sum) {
  constexpr Index step = warp_size * sixteen;
  const T* const from = x.data + first * x.stride;
  Index k = lane * sixteen;
  if (!aligned) {
    for (; k < x.columns; k += step) {
      for (Index at = k; at < k + sixteen && at < x.columns; ++at) {
        const auto weight = static_cast<float>(w[at]);
#pragma unroll
        for (int row = 0; row < product_rows; ++row) {
          if (row < rows) sum[row] += weight * widen(from[row * x.stride + at]);
        }
      }
    }
    return;
  }
  for (; k < x.columns; k += step * code_loads) {
    Words codes[code_loads];
#pragma unroll
    for (int at = 0; at < code_loads; ++at) {
      if (k + at * step < x.columns) codes[at] = load_words(w + k + at * step);
    }
#pragma unroll
    for (int at = 0; at < code_loads; ++at) {
      if (k + at * step >= x.columns) break;
      dot_sixteen<C>(codes[at], from + k + at * step, x.stride, rows, sum);
    }
  }
}

/// What a sum over weights of type W becomes: the codes' scale joins.
template <class W>
[[nodiscard]] __host__ __device__ float scaled(float sum, const float* scales, Index o) {
  if constexpr (Code<W>) {
    return sum * scales[o];
  } else {
    return sum;
  }
}

}  // namespace stamp::cuda
