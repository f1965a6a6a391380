// SPDX-License-Identifier: Apache-2.0
// The place of the first of a row's largest numbers: each thread keeps the best of its share, then
// halves of the block compare.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int largest_threads = 1024;

struct LargestRegisters {
  float value;
  int place;
};

/// Which of two is kept: one that is no number at all (place -1), the larger, the first of equals.
__host__ __device__ inline void keep_larger(LargestRegisters& kept, LargestRegisters other) {
  if (kept.place == -1) return;
  if (other.place == -1 || other.value > kept.value ||
      (other.value == kept.value && other.place < kept.place)) {
    kept = other;
  }
}

/// Block (row); `shared` [largest_threads].
///   places[row] = first at with the largest x[row][at]; -1 where one is NaN or +inf or all are
///   -inf
template <Element T, class Block>
__host__ __device__ void largest_body(Block& block, LargestRegisters* shared, std::int32_t* places,
                                      Erased<const T> x, bool aligned) {
  constexpr int nothing = 0x7fffffff;  // behind every place
  const T* const row = x.data + block.x() * x.stride;
  block.each([&](int thread, LargestRegisters& r) {
    r = {-INFINITY, nothing};
    for (Index first = thread * eight; first < x.columns; first += largest_threads * eight) {
      const Index left = x.columns - first;
      const Eight<T> numbers = load_eight<T>(row + first, left, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (i >= left) continue;
        const float number = widen(numbers.at[i]);
        const bool usable = number < INFINITY;  // neither NaN nor +inf
        keep_larger(r, {number, usable ? static_cast<int>(first) + i : -1});
      }
    }
    shared[thread] = r;
  });
  for (int half = largest_threads / 2; half > 0; half /= 2) {
    block.each([&](int thread, LargestRegisters&) {
      if (thread < half) keep_larger(shared[thread], shared[thread + half]);
    });
  }
  block.each([&](int thread, LargestRegisters&) {
    if (thread != 0) return;
    places[block.x()] = shared[0].value == -INFINITY ? -1 : shared[0].place;
  });
}

}  // namespace stamp::cuda
