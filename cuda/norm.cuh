// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm: one block a row, a thread eight neighbours at a time. What a thread has
// read stays in its registers, as far as rows of 4096 numbers; of longer ones the rest is read
// again.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/kernels.hpp>

namespace stamp::cuda {

inline constexpr int norm_threads = 256;
inline constexpr int norm_shared = norm_threads / warp_size;  ///< floats

/// Eights of a row that a thread keeps.
inline constexpr int norm_kept = 2;

template <Element T>
struct NormRegisters {
  float sum;
  Loaded<T> row[norm_kept];
  Loaded<T> weight[norm_kept];
};

/// use(first, which) for the eights of this thread: which < count for those that it keeps, known to
/// the compiler; count for all others.
template <int count, class Use>
__host__ __device__ void each_eight(int thread, int threads, Index columns, const Use& use) {
  const int width = static_cast<int>(columns);
  const int step = threads * static_cast<int>(eight);
  const int begin = thread * static_cast<int>(eight);
#pragma unroll
  for (int which = 0; which < count; ++which) {
    if (begin + which * step < width) use(begin + which * step, which);
  }
  for (int first = begin + count * step; first < width; first += step) use(first, count);
}

/// Reads the eights that a thread keeps, all of them before one is used.
template <Element T, int count>
__host__ __device__ void keep_eights(int thread, int threads, const T* from, Index columns,
                                     bool aligned, Loaded<T> (&kept)[count]) {
  if (aligned && columns % eight == 0) {
    each_eight<count>(thread, threads, columns, [&](int first, int which) {
      if (which < count) kept[which] = load(from + first);
    });
    return;
  }
  each_eight<count>(thread, threads, columns, [&](int first, int which) {
    if (which < count) {
      kept[which] = std::bit_cast<Loaded<T>>(load_eight(from + first, columns - first, false));
    }
  });
}
/// What was kept, or else is read.
template <Element T, int count>
[[nodiscard]] __host__ __device__ Eight<T> kept_eight(const Loaded<T> (&kept)[count], int which,
                                                      const T* from, Index left, bool aligned) {
  return which < count ? std::bit_cast<Eight<T>>(kept[which]) : load_eight(from, left, aligned);
}

/// A row of so many columns by one block, in(registers) its NormRegisters:
///   scale = 1/sqrt(mean(x²) + eps)
///   for at: to[at] = narrow(weight[at] · widen(narrow(from[at]·scale)))
/// The order of the sum depends on the number of columns alone. `aligned`: to, from and weight can
/// be read 16 bytes at once.
template <class Registers, Element T, class Block, class In>
__host__ __device__ void rms_norm_row(Block& block, float* shared, T* to, const T* from,
                                      Index columns, const T* weight, float eps, bool aligned,
                                      const In& in) {
  block.each([&](int thread, Registers& registers) {
    NormRegisters<T>& r = in(registers);
    keep_eights(thread, block.threads(), from, columns, aligned, r.row);
    keep_eights(thread, block.threads(), weight, columns, aligned, r.weight);
    r.sum = 0;
    each_eight<norm_kept>(thread, block.threads(), columns, [&](int first, int which) {
      const Eight<T> numbers =
          kept_eight(r.row, which, from + first, columns - first, aligned);  // zeros behind the end
#pragma unroll
      for (int i = 0; i < 8; ++i) r.sum += widen(numbers.at[i]) * widen(numbers.at[i]);
    });
  });
  block.sum(shared, [&](Registers& registers) -> float& { return in(registers).sum; });
  block.each([&](int thread, Registers& registers) {
    NormRegisters<T>& r = in(registers);
    const float scale = 1 / std::sqrt(r.sum / static_cast<float>(columns) + eps);
    each_eight<norm_kept>(thread, block.threads(), columns, [&](int first, int which) {
      const Index left = columns - first;
      Eight<T> numbers = kept_eight(r.row, which, from + first, left, aligned);
      const Eight<T> weights = kept_eight(r.weight, which, weight + first, left, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float normal = widen(narrow<T>(widen(numbers.at[i]) * scale));
        numbers.at[i] = narrow<T>(widen(weights.at[i]) * normal);
      }
      store_eight(to + first, numbers, left, aligned);
    });
  });
}

/// Block: a row of x.
template <Element T, class Block>
__host__ __device__ void rms_norm_body(Block& block, float* shared, Erased<T> y, Erased<const T> x,
                                       const T* weight, float eps, bool aligned) {
  using Registers = NormRegisters<T>;
  rms_norm_row<Registers>(block, shared, y.data + block.x() * y.stride,
                          x.data + block.x() * x.stride, x.columns, weight, eps, aligned,
                          [](Registers& r) -> Registers& { return r; });
}

inline constexpr Index layer_norm_rows_together = norm_threads / warp_size;  ///< of a block
/// Eights of a row that a lane keeps: all of the vision towers' 1280 numbers.
inline constexpr int layer_norm_kept = 5;

template <Element T>
struct LayerNormRegisters {
  float sum;
  float mean;
  Loaded<T> row[layer_norm_kept];
};

/// Block (eight rows of x), a warp a row, because many rows wait for memory together and none for
/// another's barriers. mean, then variance = mean((x - mean)²), scale = 1/sqrt(variance + eps);
///   for at: y[at] = narrow((x[at] - mean)·scale·weight[at] + bias[at])
template <Element T, class Block>
__host__ __device__ void layer_norm_body(Block& block, Erased<T> to, Erased<const T> from,
                                         const LayerNorm<T>& norm, bool aligned) {
  using Registers = LayerNormRegisters<T>;
  const Index columns = norm.columns;
  const auto width = static_cast<float>(columns);
  // Warps behind the last row repeat it and write nothing, so that all meet at the barriers.
  const auto row_of = [&](int thread) {
    return block.x() * layer_norm_rows_together + thread / warp_size;
  };
  const auto x_of = [&](int thread) {
    const Index row = row_of(thread);
    return from.data + (row < from.rows ? row : from.rows - 1) * from.stride;
  };
  block.each([&](int thread, Registers& r) {
    const T* const x = x_of(thread);
    keep_eights(thread % warp_size, warp_size, x, columns, aligned, r.row);
    r.sum = 0;
    each_eight<layer_norm_kept>(thread % warp_size, warp_size, columns, [&](int first, int which) {
      const Eight<T> numbers = kept_eight(r.row, which, x + first, columns - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) r.sum += widen(numbers.at[i]);
    });
  });
  block.template warp_sum<1>([](Registers& r, int) -> float& { return r.sum; });
  block.each([&](int thread, Registers& r) {
    const T* const x = x_of(thread);
    r.mean = r.sum / width;
    r.sum = 0;
    each_eight<layer_norm_kept>(thread % warp_size, warp_size, columns, [&](int first, int which) {
      const Eight<T> numbers = kept_eight(r.row, which, x + first, columns - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float distance = first + i < columns ? widen(numbers.at[i]) - r.mean : 0;
        r.sum += distance * distance;
      }
    });
  });
  block.template warp_sum<1>([](Registers& r, int) -> float& { return r.sum; });
  block.each([&](int thread, Registers& r) {
    const Index row = row_of(thread);
    if (row >= from.rows) return;
    const T* const x = x_of(thread);
    T* const y = to.data + row * to.stride;
    const float scale = 1 / std::sqrt(r.sum / width + norm.eps);
    each_eight<layer_norm_kept>(thread % warp_size, warp_size, columns, [&](int first, int which) {
      const Index left = columns - first;
      Eight<T> numbers = kept_eight(r.row, which, x + first, left, aligned);
      const Eight<T> weights = load_eight(norm.weight + first, left, aligned);
      const Eight<T> biases = load_eight(norm.bias + first, left, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        numbers.at[i] = narrow<T>((widen(numbers.at[i]) - r.mean) * scale * widen(weights.at[i]) +
                                  widen(biases.at[i]));
      }
      store_eight(y + first, numbers, left, aligned);
    });
  });
}

}  // namespace stamp::cuda
