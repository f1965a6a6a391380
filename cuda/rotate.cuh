// SPDX-License-Identifier: Apache-2.0
// Rotary embedding, one block a row, a thread a pair; and the gathering of embedding rows.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int rotate_threads = 256;

/// to = from turned, one row of it, by all threads of a block; `to` may be `from`.
///   for head, pair: (low, high) = (from[pair], from[pair + dim/2]);
///     to[pair] = low·cosine - high·sine; to[pair + dim/2] = high·cosine + low·sine
/// An odd last number of a head is copied.
template <Element T>
__host__ __device__ void rotate_row(ErasedHeads<T> to, ErasedHeads<const T> from, Index row,
                                    int thread, const float* cosine, const float* sine) {
  const Index pairs = from.dim / 2;
  for (Index at = thread; at < from.heads * pairs; at += rotate_threads) {
    const Index pair = at % pairs;
    const Index place = at / pairs * from.dim + pair;
    const T* const low = from.data + row * from.stride + place;
    T* const turned = to.data + row * to.stride + place;
    const float a = widen(low[0]);
    const float b = widen(low[pairs]);
    turned[0] = narrow<T>(a * cosine[pair] - b * sine[pair]);
    turned[pairs] = narrow<T>(b * cosine[pair] + a * sine[pair]);
  }
  if (from.dim % 2 == 0) return;
  for (Index head = thread; head < from.heads; head += rotate_threads) {
    const Index last = (head + 1) * from.dim - 1;
    to.data[row * to.stride + last] = from.data[row * from.stride + last];
  }
}

/// Block: a row of x, in place.
template <Element T, class Block>
__host__ __device__ void rotate_body(Block& block, ErasedHeads<T> x, Erased<const float> cosine,
                                     Erased<const float> sine) {
  const Index row = block.x();
  const ErasedHeads<const T> from{x.data, x.rows, x.heads, x.dim, x.stride};
  block.each([&](int thread, NoRegisters&) {
    rotate_row(x, from, row, thread, cosine.data + row * cosine.stride,
               sine.data + row * sine.stride);
  });
}

/// Block: a row; query in place, key into keys, value into values (ops/fused.hpp), there from row
/// *first on, or 0 where that is null.
template <Element T, class Block>
__host__ __device__ void rotate_and_store_body(Block& block, ErasedHeads<T> query,
                                               ErasedHeads<T> keys, ErasedHeads<T> values,
                                               ErasedHeads<const T> key, ErasedHeads<const T> value,
                                               Erased<const float> cosine, Erased<const float> sine,
                                               const std::int32_t* first) {
  const Index row = block.x();
  const Index slot = first == nullptr ? 0 : *first;
  keys.data += slot * keys.stride;
  values.data += slot * values.stride;
  const ErasedHeads<const T> from{query.data, query.rows, query.heads, query.dim, query.stride};
  block.each([&](int thread, NoRegisters&) {
    const float* const c = cosine.data + row * cosine.stride;
    const float* const s = sine.data + row * sine.stride;
    rotate_row(query, from, row, thread, c, s);
    rotate_row(keys, key, row, thread, c, s);
    for (Index at = thread; at < value.heads * value.dim; at += rotate_threads) {
      values.data[row * values.stride + at] = value.data[row * value.stride + at];
    }
  });
}

/// for row, at: y[row][at] = x[which[row]][at], 0 where which[row] < 0, NaN where x has no such
/// row. Block (row · chunks + chunk).
template <Element T, class Block>
__host__ __device__ void gather_body(Block& block, Erased<T> y, Erased<const T> x,
                                     const std::int32_t* which, bool aligned) {
  const Index chunks = (y.columns + pointwise_columns - 1) / pointwise_columns;
  const Index row = block.x() / chunks;
  const Index first = block.x() % chunks * pointwise_columns;
  block.each([&](int thread, NoRegisters&) {
    const Index at = first + thread * eight;
    const Index left = y.columns - at;
    if (left <= 0) return;
    const Index from = which[row];
    Eight<T> values;
    if (from >= 0 && from < x.rows) {
      values = load_eight<T>(x.data + from * x.stride + at, left, aligned);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) values.at[i] = narrow<T>(from < 0 ? 0.0F : NAN);
    }
    store_eight(y.data + row * y.stride + at, values, left, aligned);
  });
}

}  // namespace stamp::cuda
