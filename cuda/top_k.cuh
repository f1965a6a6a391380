// SPDX-License-Identifier: Apache-2.0
// What top-k keeps of a row, without sorting it. Many blocks note the largest score of every 64
// neighbours; then one block a row has each of its 256 threads look at every 256th of these groups.
// The k-th largest of what the threads saw is at most the k-th largest score of the row, because k
// threads saw one that is not below it. So all that is kept is in groups whose largest is not below
// that bound, about k of the thousands, and only these are read again.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/cuda/top_k.hpp>

namespace stamp::cuda {

static_assert(top_k_part == top_k_threads * eight);
inline constexpr int threads_a_group = static_cast<int>(top_k_group / eight);

struct TopKRegisters {
  float largest;       ///< of the groups of a thread
  std::int32_t count;  ///< of scores that it found not below the bound
};
struct TopKShared {
  float largest[top_k_threads];
  std::int32_t counts[top_k_threads];
  float best;
  float bound;  ///< at most the k-th largest
};

/// scores[0 … 7] = those of a row from `first` on, penalty and temperature applied in the order and
/// the arithmetic of the host; -inf from `left` on.
template <Element T>
__host__ __device__ inline void process_eight(float (&scores)[8], const TopKCall<T>& call,
                                              Index row, Index first, Index left, bool aligned) {
  const Eight<T> numbers = load_eight<T>(call.x.data + row * call.x.stride + first, left, aligned);
  unsigned seen = 0;
  if (call.seen != nullptr) {
    seen = call.seen[row * seen_bytes(call.x.columns) + first / 8];
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    float score = widen(numbers.at[i]);
    if (((seen >> static_cast<unsigned>(i)) & 1U) != 0) score = penalised(score, call.penalty);
    scores[i] = i < left ? score / call.temperature : -INFINITY;
  }
}

/// Block (row, part of it); `shared` [top_k_threads].
///   largest[row][group] = the largest score of the group; +inf where one is NaN or +inf
template <Element T, class Block>
__host__ __device__ void largest_of_groups_body(Block& block, float* shared,
                                                const TopKCall<T>& call, bool aligned) {
  const Index columns = call.x.columns;
  block.each([&](int thread, NoRegisters&) {
    float largest = -INFINITY;
    const Index first = block.y() * top_k_part + thread * eight;
    if (first < columns) {
      float scores[8];
      process_eight(scores, call, block.x(), first, columns - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float score = scores[i] < INFINITY ? scores[i] : INFINITY;  // NaN, too
        largest = score > largest ? score : largest;
      }
    }
    shared[thread] = largest;
  });
  block.each([&](int thread, NoRegisters&) {
    const Index group = block.y() * (top_k_part / top_k_group) + thread;
    if (thread >= top_k_threads / threads_a_group || group >= top_k_groups(columns)) return;
    float largest = -INFINITY;
    for (int i = 0; i < threads_a_group; ++i) {
      const float other = shared[thread * threads_a_group + i];
      largest = other > largest ? other : largest;
    }
    call.largest[block.x() * top_k_groups(columns) + group] = largest;
  });
}

/// take(score, token) for what a thread finds: with its seven neighbours it reads the groups that
/// they looked at, eight scores each.
template <Element T, class Take>
__host__ __device__ inline void each_found(int thread, const TopKShared& shared,
                                           const TopKCall<T>& call, Index row, bool aligned,
                                           const Take& take) {
  const Index columns = call.x.columns;
  const Index groups = top_k_groups(columns);
  const float bound = shared.bound;
  const int lane = thread % threads_a_group;
  for (int owner = thread - lane; owner < thread - lane + threads_a_group; ++owner) {
    if (shared.largest[owner] < bound) continue;
    for (Index group = owner; group < groups; group += top_k_threads) {
      const Index first = group * top_k_group + lane * eight;
      if (first >= columns || call.largest[row * groups + group] < bound) continue;
      float scores[8];
      process_eight(scores, call, row, first, columns - first, aligned);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (scores[i] >= bound && scores[i] > -INFINITY) {
          take(scores[i], static_cast<std::int32_t>(first) + i);
        }
      }
    }
  }
}

/// Block (row).
///   found[row] = how many, then all scores that are not below the bound, then -inf of no token
template <Element T, class Block>
__host__ __device__ void found_of_row_body(Block& block, TopKShared& shared,
                                           const TopKCall<T>& call, bool aligned) {
  const Index row = block.x();
  const Index groups = top_k_groups(call.x.columns);
  block.each([&](int thread, TopKRegisters& r) {
    r.largest = -INFINITY;
    for (Index group = thread; group < groups; group += top_k_threads) {
      const float other = call.largest[row * groups + group];
      r.largest = other > r.largest ? other : r.largest;
    }
    shared.largest[thread] = r.largest;
  });
  block.each([&](int thread, TopKRegisters& r) {
    int rank = 0;
    for (int other = 0; other < top_k_threads; ++other) {
      const float largest = shared.largest[other];
      if (largest > r.largest || (largest == r.largest && other < thread)) ++rank;
    }
    if (rank == 0) shared.best = r.largest;
    if (rank == call.k - 1) shared.bound = r.largest;
  });
  block.each([&](int thread, TopKRegisters& r) {
    r.count = 0;
    if (shared.best < INFINITY) {
      each_found(thread, shared, call, row, aligned, [&](float, std::int32_t) { ++r.count; });
    }
    shared.counts[thread] = r.count;
  });
  block.each([&](int thread, TopKRegisters&) {
    std::int32_t before = 0;
    std::int32_t all = 0;
    for (int other = 0; other < top_k_threads; ++other) {
      if (other < thread) before += shared.counts[other];
      all += shared.counts[other];
    }
    const bool usable = shared.best < INFINITY;
    Scored* const found = call.found + row * (1 + top_k_most);
    if (thread == 0) found[0] = {0, usable ? all : -1};
    const bool complete = usable && all <= top_k_most;
    for (Index at = (complete ? all : 0) + thread; at < top_k_most; at += top_k_threads) {
      found[1 + at] = {-INFINITY, -1};  // they travel, too
    }
    if (!complete) return;
    Scored* to = found + 1 + before;
    each_found(thread, shared, call, row, aligned,
               [&](float score, std::int32_t token) { *to++ = {score, token}; });
  });
}

}  // namespace stamp::cuda
