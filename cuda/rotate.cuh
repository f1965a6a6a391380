// SPDX-License-Identifier: Apache-2.0
// Rotary embedding in place: one block a row, a thread a pair.
#pragma once

#include <stamp/cuda/block.cuh>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int rotate_threads = 256;

/// for row, head, pair: (low, high) = (x[pair], x[pair + dim/2]);
///   x[pair] = low·cosine - high·sine; x[pair + dim/2] = high·cosine + low·sine
template <Element T, class Block>
__host__ __device__ void rotate_body(Block& block, ErasedHeads<T> x, Erased<const float> cosine,
                                     Erased<const float> sine) {
  const Index row = block.x();
  const Index pairs = x.dim / 2;
  block.each([&](int thread, NoRegisters&) {
    for (Index at = thread; at < x.heads * pairs; at += block.threads()) {
      const Index pair = at % pairs;
      T* const low = x.data + row * x.stride + at / pairs * x.dim + pair;
      T* const high = low + pairs;
      const float c = cosine.data[row * cosine.stride + pair];
      const float s = sine.data[row * sine.stride + pair];
      const float a = widen(*low);
      const float b = widen(*high);
      *low = narrow<T>(a * c - b * s);
      *high = narrow<T>(b * c + a * s);
    }
  });
}

/// for row, at: y[row][at] = table[which[row]][at]; block (row · chunks + chunk)
template <Element T, class Block>
__host__ __device__ void gather_body(Block& block, Erased<T> y, const T* table,
                                     const std::int32_t* which, bool aligned) {
  const Index chunks = (y.columns + pointwise_columns - 1) / pointwise_columns;
  const Index row = block.x() / chunks;
  const Index first = block.x() % chunks * pointwise_columns;
  block.each([&](int thread, NoRegisters&) {
    const Index at = first + thread * eight;
    const Index left = y.columns - at;
    if (left <= 0) return;
    const Eight<T> values = load_eight<T>(table + which[row] * y.columns + at, left, aligned);
    store_eight(y.data + row * y.stride + at, values, left, aligned);
  });
}

}  // namespace stamp::cuda
