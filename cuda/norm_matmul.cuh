// SPDX-License-Identifier: Apache-2.0
// RMSNorm and a product with few outputs in one pass over the rows: a warp a row. The normalised
// row is made anew for each output from what the cache still holds, and is never written.
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

/// Block (eight rows).
///   for row: scale = 1/sqrt(mean(x²) + eps)
///     for out: y[out] = narrow(Σ_at normal[at]·weight[out][at] + bias[out])
///       normal[at] = widen(narrow(norm[at] · widen(narrow(x[at]·scale))))
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
  constexpr Index step = warp_size * eight;
  block.each([&](int thread, NormMatmulRegisters& r) {
    const T* const x = x_of(thread);
    r.sum = 0;
    for (Index first = thread % warp_size * eight; first < width; first += step) {
      const Eight<T> numbers = load_eight<T>(x + first, width - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) r.sum += widen(numbers.at[i]) * widen(numbers.at[i]);
    }
  });
  block.template warp_sum<1>([](NormMatmulRegisters& r, int) -> float& { return r.sum; });
  block.each([&](int, NormMatmulRegisters& r) {
    r.scale = 1 / std::sqrt(r.sum / static_cast<float>(width) + p.eps);
  });
  for (Index out = 0; out < p.y.columns; ++out) {
    const T* const weight = p.weight + out * width;
    block.each([&](int thread, NormMatmulRegisters& r) {
      const T* const x = x_of(thread);
      r.sum = 0;
      for (Index first = thread % warp_size * eight; first < width; first += step) {
        const Index left = width - first;
        const Eight<T> numbers = load_eight<T>(x + first, left, aligned);
        const Eight<T> norms = load_eight<T>(p.norm + first, left, aligned);
        const Eight<T> weights = load_eight<T>(weight + first, left, aligned);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          const float quotient = widen(narrow<T>(widen(numbers.at[i]) * r.scale));
          const float normal = widen(narrow<T>(widen(norms.at[i]) * quotient));
          r.sum += normal * widen(weights.at[i]);
        }
      }
    });
    block.template warp_sum<1>([](NormMatmulRegisters& r, int) -> float& { return r.sum; });
    block.each([&](int thread, NormMatmulRegisters& r) {
      const Index row = row_of(thread);
      if (thread % warp_size != 0 || row >= p.y.rows) return;
      p.y.data[row * p.y.stride + out] = narrow<T>(r.sum + widen(p.bias[out]));
    });
  }
}

}  // namespace stamp::cuda
