// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm: one block a row; the row is read again from the cache it has just passed.
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

/// A row of so many columns by one block, sum(registers) its place for a sum:
///   scale = 1/sqrt(mean(x²) + eps)
///   for at: to[at] = narrow(weight[at] · widen(narrow(from[at]·scale)))
template <class Registers, Element T, class Block, class Sum>
__host__ __device__ void rms_norm_row(Block& block, float* shared, T* to, const T* from,
                                      Index columns, const T* weight, float eps, const Sum& sum) {
  block.each([&](int thread, Registers& r) {
    sum(r) = 0;
    for (Index at = thread; at < columns; at += block.threads()) {
      const float value = widen(from[at]);
      sum(r) += value * value;
    }
  });
  block.sum(shared, sum);
  block.each([&](int thread, Registers& r) {
    const float scale = 1 / std::sqrt(sum(r) / static_cast<float>(columns) + eps);
    for (Index at = thread; at < columns; at += block.threads()) {
      const float normal = widen(narrow<T>(widen(from[at]) * scale));
      to[at] = narrow<T>(widen(weight[at]) * normal);
    }
  });
}

/// Block: a row of x.
template <Element T, class Block>
__host__ __device__ void rms_norm_body(Block& block, float* shared, Erased<T> y, Erased<const T> x,
                                       const T* weight, float eps) {
  rms_norm_row<NormRegisters>(block, shared, y.data + block.x() * y.stride,
                              x.data + block.x() * x.stride, x.columns, weight, eps,
                              [](NormRegisters& r) -> float& { return r.sum; });
}

/// Block: a row of x. mean, then variance = mean((x - mean)²), scale = 1/sqrt(variance + eps);
///   for at: y[at] = narrow((x[at] - mean)·scale·weight[at] + bias[at])
template <Element T, class Block>
__host__ __device__ void layer_norm_body(Block& block, float* shared, Erased<T> to,
                                         Erased<const T> from, const LayerNorm<T>& norm) {
  T* const y = to.data + block.x() * to.stride;
  const T* const x = from.data + block.x() * from.stride;
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

}  // namespace stamp::cuda
