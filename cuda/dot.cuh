// SPDX-License-Identifier: Apache-2.0
// A warp's share of rows of weights times a few rows of activations, in registers. Weights are in
// the element type, or Codes; sums of Codes are taken without their scale, which multiplies the
// whole sum once.
#pragma once

#include <stamp/cuda/block.cuh>
#include <stamp/cuda/codes.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

inline constexpr int product_rows = static_cast<int>(skinny_rows);

/// Numbers of a weight row that a lane loads at once: 16 bytes of bfloat16 or codes, 32 of float.
template <class W>
inline constexpr int load_numbers = Code<W> ? 16 : 8;

/// Loads of each weight row that a lane has under way before it uses one, where it multiplies so
/// many weight rows and at most so many rows of x. A multiprocessor needs some 40 KB on their way
/// to keep memory busy: three blocks of 256 threads with six loads of 16 bytes have 72. More than
/// one row of x needs registers for its sums.
template <class W, int weight_rows, int most>
[[nodiscard]] constexpr int loads_ahead() {
  if (Code<W>) return weight_rows == 1 ? 4 : 3;
  if (std::same_as<W, float>) return (weight_rows == 1 ? 3 : 2) - (most == 1 ? 0 : 1);
  if (weight_rows == 2) return 3;
  return most == 1 ? 6 : 3;
}

/// The part of a row that one warp multiplies: whole strides of all lanes, but for the row's end.
struct Stretch {
  int begin, end;
};

/// What part `part` of the 2^shared warps that share an output has of its row.
template <class W>
[[nodiscard]] __host__ __device__ inline Stretch stretch_of(Index columns, int part, int shared) {
  constexpr int stride = warp_size * load_numbers<W>;
  const int width = static_cast<int>(columns);
  const int strides = (width + stride - 1) / stride;
  const int end = ((part + 1) * strides >> shared) * stride;
  return {(part * strides >> shared) * stride, end < width ? end : width};
}

__host__ __device__ inline void widen_loaded(const Words& loaded, bfloat16, float* to) {
#pragma unroll
  for (int word = 0; word < 4; ++word) widen_two(loaded.at[word], to + 2 * word);
}
template <Code C>
__host__ __device__ inline void widen_loaded(const Words& loaded, C, float* to) {
  widen_sixteen<C>(loaded, to);
}
__host__ __device__ inline void widen_loaded(const Eight<float>& loaded, float, float* to) {
#pragma unroll
  for (int at = 0; at < 8; ++at) to[at] = loaded.at[at];
}

/// sum[which][row] += Σ_i weights[which][i]·x[row][i] over what one load brought, in the order of
/// i. `most`: rows at most, 1 where there is one alone, which needs no branches.
template <class W, int most, int weight_rows, class Loaded, Element T>
__host__ __device__ void dot_loaded(const Loaded (&loaded)[weight_rows], const T* x, Index stride,
                                    int rows, float* sum) {
  float weights[weight_rows][load_numbers<W>];
#pragma unroll
  for (int which = 0; which < weight_rows; ++which) {
    widen_loaded(loaded[which], W{}, weights[which]);
  }
#pragma unroll
  for (int row = 0; row < most; ++row) {
    if (most > 1 && row >= rows) continue;
#pragma unroll
    for (int first = 0; first < load_numbers<W>; first += 8) {
      float numbers[8];
      widen_loaded(load(x + row * stride + first), T{}, numbers);
#pragma unroll
      for (int which = 0; which < weight_rows; ++which) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          sum[which * product_rows + row] += weights[which][first + i] * numbers[i];
        }
      }
    }
  }
}

/// dot_rows where all of w and x is aligned and a row is whole loads: first all loads of a batch,
/// then their use, because a use between them would wait for its own load before the next begins.
template <int most, int weight_rows, class W, Element T>
__host__ __device__ void dot_aligned(const W* const (&w)[weight_rows], const T* x, Index stride,
                                     Stretch stretch, int rows, int lane, float* sum) {
  constexpr int step = warp_size * load_numbers<W>;
  constexpr int batch = loads_ahead<W, weight_rows, most>();
  const auto multiply = [&](int k, auto whole) {
    Loaded<W> loaded[batch][weight_rows];
#pragma unroll
    for (int at = 0; at < batch; ++at) {
      if (!whole && k + at * step >= stretch.end) continue;
#pragma unroll
      for (int which = 0; which < weight_rows; ++which) {
        loaded[at][which] = load_once(w[which] + k + at * step);
      }
    }
#pragma unroll
    for (int at = 0; at < batch; ++at) {
      if (!whole && k + at * step >= stretch.end) continue;
      dot_loaded<W, most>(loaded[at], x + k + at * step, stride, rows, sum);
    }
  };
  int k = stretch.begin + lane * load_numbers<W>;
  for (; k + (batch - 1) * step < stretch.end; k += batch * step) multiply(k, std::true_type{});
  if (k < stretch.end) multiply(k, std::false_type{});
}

/// sum[which][row] += Σ_k w[which][k]·x[row][k] for the k of this lane, ascending: with n =
/// load_numbers, stretch.begin + n·lane and the n - 1 that follow, then 32·n further. The order
/// depends on nothing but the length of a row. `aligned` holds for all of w and for x; `sum` has
/// product_rows places for each weight row.
template <int weight_rows, class W, Element T>
__host__ __device__ void dot_rows(const W* const (&w)[weight_rows], Erased<const T> x, Index first,
                                  Stretch stretch, int rows, int lane, bool aligned, float* sum) {
  const T* const from = x.data + first * x.stride;
  if (aligned && x.columns % load_numbers<W> == 0) {
    if (rows == 1) return dot_aligned<1>(w, from, x.stride, stretch, rows, lane, sum);
    return dot_aligned<product_rows>(w, from, x.stride, stretch, rows, lane, sum);
  }
#pragma unroll 1
  for (int begin = stretch.begin + lane * load_numbers<W>; begin < stretch.end;
       begin += warp_size * load_numbers<W>) {
#pragma unroll 1
    for (int k = begin; k < begin + load_numbers<W> && k < stretch.end; ++k) {
#pragma unroll
      for (int which = 0; which < weight_rows; ++which) {
        const auto weight = static_cast<float>(w[which][k]);
#pragma unroll
        for (int row = 0; row < product_rows; ++row) {
          if (row >= rows) continue;
          sum[which * product_rows + row] += weight * widen(from[row * x.stride + k]);
        }
      }
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
