// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm, with a residual or rows by number before it: one block a row; the row is
// read again from the cache it has just passed.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/kernels.hpp>

namespace stamp::cuda {

inline constexpr int norm_threads = 256;
inline constexpr int norm_shared = norm_threads / warp_size;  ///< floats

struct NormRegisters {
  float sum;
  float mean;
};

/// for row: scale = 1/sqrt(mean(x²) + eps);
///   for at: y[at] = narrow(weight[at] · widen(narrow(x[at]·scale)))
template <Element T, class Block>
__host__ __device__ void rms_norm_body(Block& block, float* shared, Erased<T> y, Erased<const T> x,
                                       const T* weight, float eps) {
  const T* const from = x.data + block.x() * x.stride;
  T* const to = y.data + block.x() * y.stride;
  block.each([&](int thread, NormRegisters& r) {
    r.sum = 0;
    for (Index at = thread; at < x.columns; at += block.threads()) {
      const float value = widen(from[at]);
      r.sum += value * value;
    }
  });
  block.sum(shared, [](NormRegisters& r) -> float& { return r.sum; });
  block.each([&](int thread, NormRegisters& r) {
    const float scale = 1 / std::sqrt(r.sum / static_cast<float>(x.columns) + eps);
    for (Index at = thread; at < x.columns; at += block.threads()) {
      const float normal = widen(narrow<T>(widen(from[at]) * scale));
      to[at] = narrow<T>(widen(weight[at]) * normal);
    }
  });
}

/// mean, then variance = mean((x - mean)²), scale = 1/sqrt(variance + eps);
///   for at: y[at] = narrow((x[at] - mean)·scale·weight[at] + bias[at])
/// A thread reads the columns thread, thread + threads, … of x and no others.
template <Element T, class Block>
__host__ __device__ void layer_norm_row(Block& block, float* shared, T* y, const T* x,
                                        const LayerNorm<T>& norm) {
  const Index columns = norm.columns;
  const auto width = static_cast<float>(columns);
  block.each([&](int thread, NormRegisters& r) {
    r.sum = 0;
    for (Index at = thread; at < columns; at += block.threads()) r.sum += widen(x[at]);
  });
  block.sum(shared, [](NormRegisters& r) -> float& { return r.sum; });
  block.each([&](int thread, NormRegisters& r) {
    const float mean = r.sum / width;
    float squares = 0;
    for (Index at = thread; at < columns; at += block.threads()) {
      const float distance = widen(x[at]) - mean;
      squares += distance * distance;
    }
    r.mean = mean;
    r.sum = squares;
  });
  block.sum(shared, [](NormRegisters& r) -> float& { return r.sum; });
  block.each([&](int thread, NormRegisters& r) {
    const float scale = 1 / std::sqrt(r.sum / width + norm.eps);
    for (Index at = thread; at < columns; at += block.threads()) {
      y[at] = narrow<T>((widen(x[at]) - r.mean) * scale * widen(norm.weight[at]) +
                        widen(norm.bias[at]));
    }
  });
}

/// Block (row of y).
///   for row: y[row] = layer_norm(x[index[row]]); zeros where index[row] is negative, NaN where x
///   has no such row. Without an index row by row.
template <Element T, class Block>
__host__ __device__ void layer_norm_body(Block& block, float* shared, Erased<T> y,
                                         Erased<const T> x, const std::int32_t* index,
                                         const LayerNorm<T>& norm) {
  T* const to = y.data + block.x() * y.stride;
  const Index from = index == nullptr ? block.x() : index[block.x()];
  if (from < 0 || from >= x.rows) {
    const T filling = narrow<T>(from < 0 ? 0.0F : NAN);
    block.each([&](int thread, NormRegisters&) {
      for (Index at = thread; at < y.columns; at += block.threads()) to[at] = filling;
    });
    return;
  }
  layer_norm_row(block, shared, to, x.data + from * x.stride, norm);
}

/// Block (row of x).
///   for row: x[row] += z[index[row]], which is 0 where index[row] is negative and NaN where z has
///   no such row; y[row] = layer_norm(x[row]). Without an index row by row.
template <Element T, class Block>
__host__ __device__ void add_layer_norm_body(Block& block, float* shared, Erased<T> y, Erased<T> x,
                                             Erased<const T> z, const std::int32_t* index,
                                             const LayerNorm<T>& norm) {
  T* const residual = x.data + block.x() * x.stride;
  const Index from = index == nullptr ? block.x() : index[block.x()];
  if (from >= 0) {
    const T* const added = from < z.rows ? z.data + from * z.stride : nullptr;
    block.each([&](int thread, NormRegisters&) {
      for (Index at = thread; at < x.columns; at += block.threads()) {
        residual[at] = narrow<T>(widen(residual[at]) + (added == nullptr ? NAN : widen(added[at])));
      }
    });
  }
  layer_norm_row<T>(block, shared, y.data + block.x() * y.stride, residual, norm);
}

}  // namespace stamp::cuda
