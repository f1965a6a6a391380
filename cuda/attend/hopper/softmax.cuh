// SPDX-License-Identifier: Apache-2.0
// Softmax carried along while tiles of scores pass through a warpgroup's registers: a thread holds
// a quarter of two rows.
#pragma once

#include <cmath>
#include <stamp/cuda/attend/hopper/tile.cuh>
#include <stamp/cuda/attend/hopper/wgmma.cuh>
#include <stamp/cuda/attend/mma.cuh>
#include <stamp/cuda/attend/row_intervals.cuh>

namespace stamp::cuda {

/// Per row: the largest score so far in units of log2, the sum of this thread's weights, and by how
/// much the last tile has shrunk what was summed before it.
struct HopperSoftmax {
  float largest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  float shrink[2] = {0, 0};

  /// score = exp2(scale·score - largest), zero where a row does not see the key; `scale` is
  /// positive. Keys [keys.begin, keys.end) of the tile are there.
  __device__ __forceinline__ void weigh(float (&score)[hopper_keys / 2],
                                        const RowIntervals (&seen)[2],
                                        const KeyTiles<hopper_keys>::Tile& keys, float scale,
                                        int t) {
    const int begin = keys.begin;
    const int end = keys.end;
    const bool whole =
        end - begin == hopper_keys && seen[0].sees_all(begin, end) && seen[1].sees_all(begin, end);
    if (!whole) {
#pragma unroll
      for (int at = 0; at < hopper_keys / 2; ++at) {
        const int key = begin + at / 4 * 8 + t * 2 + at % 2;
        const bool there = seen[at % 4 / 2].sees(key) & (key < end);
        score[at] = there ? score[at] : -INFINITY;
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = -INFINITY;
#pragma unroll
      for (int at = 2 * half; at < hopper_keys / 2; at += 4) {
        most = fmaxf(most, fmaxf(score[at], score[at + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 1));
      most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 2));
      most = fmaxf(most * scale, largest[half]);
      const float origin = most == -INFINITY ? 0 : most;  // no key seen: all weights are zero
      shrink[half] = mma::power_of_two(largest[half] - origin);
      largest[half] = most;
      float added = 0;
#pragma unroll
      for (int at = 2 * half; at < hopper_keys / 2; at += 4) {
        score[at] = mma::power_of_two(fmaf(score[at], scale, -origin));
        score[at + 1] = mma::power_of_two(fmaf(score[at + 1], scale, -origin));
        added += score[at] + score[at + 1];
      }
      sum[half] = sum[half] * shrink[half] + added;
    }
  }
  /// The sum of a whole row.
  [[nodiscard]] __device__ float total(int half) const {
    float total = sum[half];
    total += __shfl_xor_sync(0xffffffffU, total, 1);
    total += __shfl_xor_sync(0xffffffffU, total, 2);
    return total;
  }
};

/// Weights rounded to bfloat16; a score's places in registers are those of a left operand.
__device__ __forceinline__ void pack_weights(std::uint32_t (&weight)[hopper_keys / 16][4],
                                             const float (&score)[hopper_keys / 2]) {
#pragma unroll
  for (int at = 0; at < hopper_keys / 4; ++at) {
    weight[at / 4][at % 4] = mma::pack_two(score[2 * at], score[2 * at + 1]);
  }
}

}  // namespace stamp::cuda
