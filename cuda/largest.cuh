// SPDX-License-Identifier: Apache-2.0
// The place of the first of a row's largest numbers: many blocks find the best of their parts of a
// row, then one compares those. A vocabulary of 151936 words is 75 parts of one load a thread.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/kernels.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

inline constexpr int largest_threads = 256;
static_assert(largest_part == largest_threads * eight);

/// Behind every place, and smaller than every number.
inline constexpr Candidate no_candidate{-INFINITY, 0x7fffffff};

/// Which of two is kept: one that is no number at all (place -1), the larger, the first of equals.
__host__ __device__ inline void keep_larger(Candidate& kept, Candidate other) {
  if (kept.place == -1) return;
  if (other.place == -1 || other.value > kept.value ||
      (other.value == kept.value && other.place < kept.place)) {
    kept = other;
  }
}

/// The best of shared[0 … largest_threads), which are the registers, into shared[0].
template <class Block>
__host__ __device__ void keep_largest(Block& block, Candidate* shared) {
  block.each([&](int thread, Candidate& r) { shared[thread] = r; });
  for (int half = largest_threads / 2; half > 0; half /= 2) {
    block.each([&](int thread, Candidate&) {
      if (thread < half) keep_larger(shared[thread], shared[thread + half]);
    });
  }
}

/// Block (row, part of it); `shared` [largest_threads].
///   candidates[row][part] = the first of the part's largest numbers; -1 for its place where one is
///   NaN or +inf
template <Element T, class Block>
__host__ __device__ void largest_of_part_body(Block& block, Candidate* shared,
                                              Candidate* candidates, Erased<const T> x,
                                              bool aligned) {
  const T* const row = x.data + block.x() * x.stride;
  block.each([&](int thread, Candidate& r) {
    r = no_candidate;
    const Index first = block.y() * largest_part + thread * eight;
    const Index left = x.columns - first;
    if (left <= 0) return;
    const Eight<T> numbers = load_eight<T>(row + first, left, aligned);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (i >= left) continue;
      const float number = widen(numbers.at[i]);
      const bool usable = number < INFINITY;  // neither NaN nor +inf
      keep_larger(r, {number, usable ? static_cast<int>(first) + i : -1});
    }
  });
  keep_largest(block, shared);
  block.each([&](int thread, Candidate&) {
    if (thread == 0) candidates[block.x() * largest_parts(x.columns) + block.y()] = shared[0];
  });
}

/// Block (row); `shared` [largest_threads].
///   places[row] = the place of the best of the row's candidates; -1 where all numbers are -inf
template <class Block>
__host__ __device__ void largest_of_parts_body(Block& block, Candidate* shared,
                                               std::int32_t* places, const Candidate* candidates,
                                               Index parts) {
  block.each([&](int thread, Candidate& r) {
    r = no_candidate;
    for (Index part = thread; part < parts; part += largest_threads) {
      keep_larger(r, candidates[block.x() * parts + part]);
    }
  });
  keep_largest(block, shared);
  block.each([&](int thread, Candidate&) {
    if (thread != 0) return;
    places[block.x()] = shared[0].value == -INFINITY ? -1 : shared[0].place;
  });
}

}  // namespace stamp::cuda
