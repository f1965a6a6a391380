// SPDX-License-Identifier: Apache-2.0
// A grid of logits at a picture's size, cut at a threshold: one block a row of the picture. Built
// without contraction of products and sums, so that every bit is the host's.
#pragma once

#include <cmath>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/threshold_picture.hpp>

namespace stamp::cuda {

inline constexpr int threshold_threads = 256;

struct ThresholdRegisters {
  double probability;
  std::int32_t area;
};

/// Block (row); `shared` [threshold_threads].
///   for column: cells[row][column] = logit > threshold (requirement::ThresholdsPictures)
///     where it is: area[row] += 1, probability[row] += 1/(1 + exp(-logit))
/// A thread sums its columns, then halves of the block join: an order of its own.
template <class Block>
__host__ __device__ void threshold_picture_body(Block& block, ThresholdRegisters* shared,
                                                const ThresholdPicture& p) {
  const Index row = block.x();
  const float* const above = p.logits + p.rows.first[row] * p.grid_columns;
  const float* const below = p.logits + p.rows.second[row] * p.grid_columns;
  const float down = p.rows.share[row];
  block.each([&](int thread, ThresholdRegisters& r) {
    r = {0, 0};
    for (Index at = thread; at < p.width; at += threshold_threads) {
      const std::int32_t left = p.columns.first[at];
      const std::int32_t right = p.columns.second[at];
      const float across = p.columns.share[at];
      const float upper = above[left] * (1 - across) + above[right] * across;
      const float lower = below[left] * (1 - across) + below[right] * across;
      const float logit = upper * (1 - down) + lower * down;
      const bool foreground = logit > p.threshold;
      p.cells[row * p.width + at] = foreground ? 1 : 0;
      if (foreground) {
        ++r.area;
        r.probability += 1 / (1 + std::exp(-static_cast<double>(logit)));
      }
    }
    shared[thread] = r;
  });
  for (int half = threshold_threads / 2; half > 0; half /= 2) {
    block.each([&](int thread, ThresholdRegisters&) {
      if (thread >= half) return;
      shared[thread].probability += shared[thread + half].probability;
      shared[thread].area += shared[thread + half].area;
    });
  }
  block.each([&](int thread, ThresholdRegisters&) {
    if (thread != 0) return;
    p.probabilities[row] = shared[0].probability;
    p.areas[row] = shared[0].area;
  });
}

}  // namespace stamp::cuda
