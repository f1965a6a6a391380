// SPDX-License-Identifier: Apache-2.0
// z[at] = f(y[at], x[at]) over rows: a thread takes eight neighbours, a block 2048 columns.
#pragma once

#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int pointwise_threads = 256;
inline constexpr Index pointwise_columns = pointwise_threads * eight;

struct NoRegisters {};

/// for row, at: z[row][at] = function(y[row][at], x[row][at])
/// Block (row · chunks + chunk). Any of the three may be another.
template <Element T, class Block, class Function>
__host__ __device__ void pointwise_body(Block& block, Erased<T> z, Erased<const T> y,
                                        Erased<const T> x, bool aligned, const Function& function) {
  const auto chunks =
      static_cast<unsigned>((z.columns + pointwise_columns - 1) / pointwise_columns);
  const Index row = static_cast<unsigned>(block.x()) / chunks;
  const Index first = static_cast<unsigned>(block.x()) % chunks * pointwise_columns;
  block.each([&](int thread, NoRegisters&) {
    const Index at = first + thread * eight;
    const Index left = z.columns - at;
    if (left <= 0) return;
    Eight<T> values = load_eight<T>(y.data + row * y.stride + at, left, aligned);
    const Eight<T> others = load_eight<T>(x.data + row * x.stride + at, left, aligned);
#pragma unroll
    for (int i = 0; i < 8; ++i) values.at[i] = function(values.at[i], others.at[i]);
    store_eight(z.data + row * z.stride + at, values, left, aligned);
  });
}

}  // namespace stamp::cuda
