// SPDX-License-Identifier: Apache-2.0
// The launches behind the doors: axes are checked and erased, memory is the device's, work is
// queued on the stream. Defined in the .cu files for every DeviceElement; no nvcc needed here.
#pragma once

#include <cstdint>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/element.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

/// A grid of so many blocks. Error{usage} past what a launch can take.
[[nodiscard]] inline unsigned blocks(Index count) {
  if (count < 0 || count > 0x7fffffff) {
    fail(Fault::usage, "cuda: expected at most 2147483647 blocks, found " + std::to_string(count));
  }
  return static_cast<unsigned>(count);
}

/// Every row of every operand starts where 16 bytes can be read at once.
template <class T>
[[nodiscard]] bool aligned_rows(const T* data, Index stride) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 &&
         stride * static_cast<Index>(sizeof(T)) % 16 == 0;
}

/// Every operand of a norm can be read 16 bytes at once.
template <class T>
[[nodiscard]] bool aligned_operands(Erased<T> y, Erased<const T> x, const T* weight) {
  return aligned_rows(y.data, y.stride) && aligned_rows(x.data, x.stride) &&
         aligned_rows(weight, x.columns);
}

/// What a LayerNorm is told: weight and bias [columns].
template <class T>
struct LayerNorm {
  const T* weight;
  const T* bias;
  Index columns;
  float eps;
};
template <class T>
[[nodiscard]] bool aligned_operands(Erased<T> y, Erased<const T> x, const LayerNorm<T>& norm) {
  return aligned_operands(y, x, norm.weight) && aligned_rows(norm.bias, x.columns);
}

/// The largest number of a part of a row and where in the row it is, -1 where one is no number.
struct Candidate {
  float value;
  std::int32_t place;
};
inline constexpr Index largest_part = 2048;  ///< numbers of a part: one load for each thread
[[nodiscard]] constexpr Index largest_parts(Index columns) {
  return columns <= largest_part ? 1 : (columns + largest_part - 1) / largest_part;
}

namespace kernel {

template <DeviceElement T>
void rms_norm(Stream stream, Erased<T> y, Erased<const T> x, const T* weight, float eps);
template <DeviceElement T>
void layer_norm(Stream stream, Erased<T> y, Erased<const T> x, const LayerNorm<T>& norm);

template <DeviceElement T>
void quick_gelu(Stream stream, Erased<T> x);
template <DeviceElement T>
void gelu(Stream stream, Erased<T> x);
template <DeviceElement T>
void relu(Stream stream, Erased<T> x);
template <DeviceElement T>
void swiglu(Stream stream, Erased<T> gate, Erased<const T> up);

template <DeviceElement T>
void add(Stream stream, Erased<T> y, Erased<const T> x);
/// z = y + x
template <DeviceElement T>
void sum(Stream stream, Erased<T> z, Erased<const T> y, Erased<const T> x);
template <DeviceElement T>
void copy(Stream stream, Erased<T> y, Erased<const T> x);

template <DeviceElement T>
void rotate(Stream stream, ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine);

/// query = rotate(query), keys = rotate(key), values = value (ops/fused.hpp) in one launch; keys
/// and values go to the rows from *first on, or from 0 where `first` is null.
template <DeviceElement T>
void rotate_and_store(Stream stream, ErasedHeads<T> query, ErasedHeads<T> keys,
                      ErasedHeads<T> values, ErasedHeads<const T> key, ErasedHeads<const T> value,
                      Erased<const float> cosine, Erased<const float> sine,
                      const std::int32_t* first);

/// places[row] = place_of_largest(x[row]) (ops/fused.hpp), in two launches; candidates has
/// largest_parts(x.columns) places for each row.
template <DeviceElement T>
void largest(Stream stream, std::int32_t* places, Candidate* candidates, Erased<const T> x);

/// y[i] = x[which[i]], zeros where which[i] is negative, NaN where x has no such row.
template <DeviceElement T>
void gather(Stream stream, Erased<T> y, Erased<const T> x, const std::int32_t* which);

}  // namespace kernel

}  // namespace stamp::cuda
