// SPDX-License-Identifier: Apache-2.0
// RMSNorm and a product with few outputs in one pass over the rows: a warp a row. The normalised
// row is made anew for each output from what the cache still holds, and is never written. Sums say
// where they are fused, so that every kernel which takes these steps has the same bits.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/norm_matmul.hpp>

namespace stamp::cuda {

inline constexpr int norm_matmul_threads = 256;
inline constexpr Index norm_matmul_rows = norm_matmul_threads / warp_size;  ///< of a block

struct NormMatmulRegisters {
  float sum;
  float scale;
};

/// registers.scale = 1/sqrt(mean(x²) + eps) of the row that x_of(thread) gives all threads of a
/// warp.
template <Element T, class Block, class RowOf>
__host__ __device__ void row_scale(Block& block, const RowOf& x_of, Index width, float eps,
                                   bool aligned) {
  constexpr Index step = warp_size * eight;
  block.each([&](int thread, auto& r) {
    const T* const x = x_of(thread);
    r.sum = 0;
    for (Index first = thread % warp_size * eight; first < width; first += step) {
      const Eight<T> numbers = load_eight<T>(x + first, width - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        r.sum = std::fma(widen(numbers.at[i]), widen(numbers.at[i]), r.sum);
      }
    }
  });
  block.template warp_sum<1>([](auto& r, int) -> float& { return r.sum; });
  block.each(
      [&](int, auto& r) { r.scale = 1 / std::sqrt(r.sum / static_cast<float>(width) + eps); });
}

/// registers.sum = Σ_at normal[at]·weight[at] after row_scale, where
///   normal[at] = widen(narrow(norm[at] · widen(narrow(x[at]·scale))))
template <Element T, class Block, class RowOf>
__host__ __device__ void normal_product(Block& block, const RowOf& x_of, const T* norm,
                                        const T* weight, Index width, bool aligned) {
  constexpr Index step = warp_size * eight;
  block.each([&](int thread, auto& r) {
    const T* const x = x_of(thread);
    r.sum = 0;
    for (Index first = thread % warp_size * eight; first < width; first += step) {
      const Index left = width - first;
      const Eight<T> numbers = load_eight<T>(x + first, left, aligned);
      const Eight<T> norms = load_eight<T>(norm + first, left, aligned);
      const Eight<T> weights = load_eight<T>(weight + first, left, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float quotient = widen(narrow<T>(widen(numbers.at[i]) * r.scale));
        const float normal = widen(narrow<T>(widen(norms.at[i]) * quotient));
        r.sum = std::fma(normal, widen(weights.at[i]), r.sum);
      }
    }
  });
  block.template warp_sum<1>([](auto& r, int) -> float& { return r.sum; });
}

/// Block (eight rows).
///   for row, out: y[row][out] = narrow(normal(x[row])·weight[out] + bias[out])
/// `aligned`: every row of x and weight, and norm, can be read 16 bytes at once.
template <Element T, class Block>
__host__ __device__ void norm_matmul_body(Block& block, const NormMatmul<T>& p, bool aligned) {
  const Index width = p.x.columns;
  // Warps behind the last row repeat it and write nothing, so that all meet at the barriers.
  const auto row_of = [&](int thread) { return block.x() * norm_matmul_rows + thread / warp_size; };
  const auto x_of = [&](int thread) {
    const Index row = row_of(thread);
    return p.x.data + (row < p.x.rows ? row : p.x.rows - 1) * p.x.stride;
  };
  row_scale<T>(block, x_of, width, p.eps, aligned);
  for (Index out = 0; out < p.y.columns; ++out) {
    normal_product<T>(block, x_of, p.norm, p.weight + out * width, width, aligned);
    block.each([&](int thread, NormMatmulRegisters& r) {
      const Index row = row_of(thread);
      if (thread % warp_size != 0 || row >= p.y.rows) return;
      p.y.data[row * p.y.stride + out] = narrow<T>(r.sum + widen(p.bias[out]));
    });
  }
}

}  // namespace stamp::cuda
