// SPDX-License-Identifier: Apache-2.0
// Attention in the plainest way a GPU can: a warp takes one row of one head and goes key by key.
// Stays for ever: the other kernels are compared with it where the reference is too slow.
#pragma once

#include <cmath>
#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/block.cuh>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr Index naive_dim = 256;  ///< numbers of a head that one block sums
inline constexpr int naive_lane_dims = naive_dim / warp_size;

struct NaiveRegisters {
  float value[naive_lane_dims];
  float dot;
  float largest;
  float sum;
};

/// One block of 32 threads: row block.x() / Heads, head block.x() % Heads, and of the head's
/// numbers those from block.y()·naive_dim on.
///   for key the row sees:
///     score = scale · Σ_d query[d]·key[d] (+ bias of row, head and key)
///     weight = exp(score - largest so far); the sums so far shrink when `largest` grows
///     sum += weight; y[d] += weight · value[d]
///   y[d] /= sum; zero where no key is seen
template <Element T, class Block>
__host__ __device__ void attend_naive_body(Block& block, const AttendCall<T>& call) {
  const Index row = block.x() / call.y.heads;
  const Index head = block.x() % call.y.heads;
  const Index dim = call.y.dim;
  const Index kv_head = head / call.packing().group;
  const T* const query = call.query.data + row * call.query.stride + head * dim;
  const Index first = block.y() * naive_dim;
  const Visible seen = call.mask.visible(row, call.key.rows);

  block.each([&](int, NaiveRegisters& r) {
    r.largest = -INFINITY;
    r.sum = 0;
#pragma unroll
    for (int i = 0; i < naive_lane_dims; ++i) r.value[i] = 0;
  });
  for (int interval = 0; interval < 2; ++interval) {
    const KeyRange range = interval == 0 ? seen.history : seen.own;
    for (Index key = range.begin; key < range.end; ++key) {
      const T* const k = call.key.data + key * call.key.stride + kv_head * dim;
      const T* const v = call.value.data + key * call.value.stride + kv_head * dim;
      block.each([&](int lane, NaiveRegisters& r) {
        r.dot = 0;
        for (Index d = lane; d < dim; d += warp_size) {
          r.dot += widen(query[d]) * call.scale * widen(k[d]);
        }
      });
      block.template warp_sum<1>([](NaiveRegisters& r, int) -> float& { return r.dot; });
      block.each([&](int lane, NaiveRegisters& r) {
        if (call.relative()) r.dot += call.bias_of(row, head, key);
        const float largest = r.dot > r.largest ? r.dot : r.largest;
        const float shrink = std::exp(r.largest - largest);  // exp(-inf) is 0 at the first key
        const float weight = std::exp(r.dot - largest);
        r.largest = largest;
        r.sum = r.sum * shrink + weight;
#pragma unroll
        for (int i = 0; i < naive_lane_dims; ++i) {
          const Index d = first + lane + i * warp_size;
          if (d < dim) r.value[i] = r.value[i] * shrink + weight * widen(v[d]);
        }
      });
    }
  }
  block.each([&](int lane, NaiveRegisters& r) {
#pragma unroll
    for (int i = 0; i < naive_lane_dims; ++i) {
      const Index d = first + lane + i * warp_size;
      if (d < dim) {
        call.y.data[row * call.y.stride + head * dim + d] =
            narrow<T>(r.sum == 0 ? 0 : r.value[i] / r.sum);
      }
    }
  });
}

}  // namespace stamp::cuda
