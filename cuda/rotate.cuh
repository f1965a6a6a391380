// SPDX-License-Identifier: Apache-2.0
// Rotary embedding, one block a row, a thread eight pairs where rows are aligned, else one; and the
// gathering of embedding rows.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int rotate_threads = 256;

/// Cosines and sines of a row, and whether all rows of a call, and the heads in them, can be read
/// 16 bytes at once.
struct Turn {
  const float* cosine;
  const float* sine;
  bool aligned;
};

/// to = from turned, one row of it, by threads `thread`, + rotate_threads, …, of which more may
/// come than there is work for; `to` may be `from`.
///   for head, pair: (low, high) = (from[pair], from[pair + dim/2]);
///     to[pair] = low·cosine - high·sine; to[pair + dim/2] = high·cosine + low·sine
/// An odd last number of a head is copied.
template <Element T>
__host__ __device__ void rotate_row(ErasedHeads<T> to, ErasedHeads<const T> from, Index row,
                                    int thread, const Turn& turn) {
  const int pairs = static_cast<int>(from.dim) / 2;
  const int heads = static_cast<int>(from.heads);
  const int dim = static_cast<int>(from.dim);
  const T* const read = from.data + row * from.stride;
  T* const written = to.data + row * to.stride;
  if (turn.aligned) {
    const int together = pairs / static_cast<int>(eight);
    for (int at = thread; at < heads * together; at += rotate_threads) {
      const int pair = at % together * static_cast<int>(eight);
      const int place = at / together * dim + pair;
      Eight<T> low = load_eight(read + place, eight, true);
      Eight<T> high = load_eight(read + place + pairs, eight, true);
      const Eight<float> c = load_eight(turn.cosine + pair, eight, true);
      const Eight<float> s = load_eight(turn.sine + pair, eight, true);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float a = widen(low.at[i]);
        const float b = widen(high.at[i]);
        low.at[i] = narrow<T>(a * c.at[i] - b * s.at[i]);
        high.at[i] = narrow<T>(b * c.at[i] + a * s.at[i]);
      }
      store_eight(written + place, low, eight, true);
      store_eight(written + place + pairs, high, eight, true);
    }
    return;
  }
  for (int at = thread; at < heads * pairs; at += rotate_threads) {
    const int pair = at % pairs;
    const int place = at / pairs * dim + pair;
    const float a = widen(read[place]);
    const float b = widen(read[place + pairs]);
    written[place] = narrow<T>(a * turn.cosine[pair] - b * turn.sine[pair]);
    written[place + pairs] = narrow<T>(b * turn.cosine[pair] + a * turn.sine[pair]);
  }
  if (dim % 2 == 0) return;
  for (int head = thread; head < heads; head += rotate_threads) {
    written[(head + 1) * dim - 1] = read[(head + 1) * dim - 1];
  }
}

/// Steps that rotate_row has for a row of aligned heads.
template <Element T>
[[nodiscard]] __host__ __device__ int rotate_steps(const ErasedHeads<T>& x) {
  return static_cast<int>(x.heads * (x.dim / (2 * eight)));
}

/// All heads, cosines and sines can be read 16 bytes at once.
template <class T>
[[nodiscard]] bool aligned_heads(const ErasedHeads<T>& x) {
  return x.dim % (2 * eight) == 0 && aligned_rows(x.data, x.stride);
}
template <class T>
[[nodiscard]] bool aligned_operands(const ErasedHeads<T>& query, const ErasedHeads<T>& keys,
                                    const ErasedHeads<T>& values, const ErasedHeads<const T>& key,
                                    const ErasedHeads<const T>& value) {
  return aligned_heads(query) && aligned_heads(keys) && aligned_heads(values) &&
         aligned_heads(key) && aligned_heads(value);
}
[[nodiscard]] inline bool aligned_angles(Erased<const float> cosine, Erased<const float> sine) {
  return aligned_rows(cosine.data, cosine.stride) && aligned_rows(sine.data, sine.stride);
}

/// Block: a row of x, in place.
template <Element T, class Block>
__host__ __device__ void rotate_body(Block& block, ErasedHeads<T> x, Erased<const float> cosine,
                                     Erased<const float> sine, bool aligned) {
  const Index row = block.x();
  const ErasedHeads<const T> from{x.data, x.rows, x.heads, x.dim, x.stride};
  block.each([&](int thread, NoRegisters&) {
    rotate_row(x, from, row, thread,
               {cosine.data + row * cosine.stride, sine.data + row * sine.stride, aligned});
  });
}

/// Block: a row; query in place, key into keys, value into values (ops/fused.hpp), there from row
/// *first on, or 0 where that is null. Where heads are aligned the three share the threads, so that
/// one row of a decoded word takes one step of each.
template <Element T, class Block>
__host__ __device__ void rotate_and_store_body(Block& block, ErasedHeads<T> query,
                                               ErasedHeads<T> keys, ErasedHeads<T> values,
                                               ErasedHeads<const T> key, ErasedHeads<const T> value,
                                               Erased<const float> cosine, Erased<const float> sine,
                                               const std::int32_t* first, bool aligned) {
  const Index row = block.x();
  const Index slot = first == nullptr ? 0 : *first;
  keys.data += slot * keys.stride;
  values.data += slot * values.stride;
  const ErasedHeads<const T> from{query.data, query.rows, query.heads, query.dim, query.stride};
  block.each([&](int thread, NoRegisters&) {
    const Turn turn{cosine.data + row * cosine.stride, sine.data + row * sine.stride, aligned};
    const int together = aligned ? static_cast<int>(eight) : 1;
    // Threads whose number is behind the work of one operand begin with the next one's.
    const auto behind = [](int at, int steps) {
      return ((at - steps) % rotate_threads + rotate_threads) % rotate_threads;
    };
    rotate_row(query, from, row, thread, turn);
    const int at_key = aligned ? behind(thread, rotate_steps(query)) : thread;
    rotate_row(keys, key, row, at_key, turn);
    const int at_value = aligned ? behind(at_key, rotate_steps(keys)) : thread;
    const int numbers = static_cast<int>(value.heads * value.dim);
    for (int at = at_value * together; at < numbers; at += rotate_threads * together) {
      store_eight(values.data + row * values.stride + at,
                  load_eight(value.data + row * value.stride + at, together, aligned), together,
                  aligned);
    }
  });
}

/// for row, at: y[row][at] = x[which[row]][at], 0 where which[row] < 0, NaN where x has no such
/// row. Block (row · chunks + chunk).
template <Element T, class Block>
__host__ __device__ void gather_body(Block& block, Erased<T> y, Erased<const T> x,
                                     const std::int32_t* which, bool aligned) {
  const auto chunks =
      static_cast<unsigned>((y.columns + pointwise_columns - 1) / pointwise_columns);
  const Index row = static_cast<unsigned>(block.x()) / chunks;
  const Index first = static_cast<unsigned>(block.x()) % chunks * pointwise_columns;
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
