// SPDX-License-Identifier: Apache-2.0
// Which tiles of keys a block of the matrix kernels visits, found by a few of its threads instead
// of by every one of them.
#pragma once

#include <stamp/cuda/attend/tiles.hpp>

namespace stamp::cuda {

inline constexpr int hull_threads = 8;  ///< threads that join the rows' intervals

/// Scratch in shared memory.
using KeyHulls = KeyHull[hull_threads];

/// By the first warp, when the intervals of all rows are there; others see `tiles` after a barrier.
template <int width, int rows>
__device__ __forceinline__ void find_tiles(KeyTiles<width>& tiles, KeyHulls& hulls,
                                           const Visible (&visible)[rows]) {
  constexpr int share = rows / hull_threads;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < hull_threads) {
    KeyHull hull;
    for (int row = thread * share; row < (thread + 1) * share; ++row) hull.join(visible[row]);
    hulls[thread] = hull;
  }
  __syncwarp();
  if (thread > 0) return;
  KeyHull hull;
  for (const KeyHull& other : hulls) hull.join({other.history, other.own});
  tiles = KeyTiles<width>(hull);
}

}  // namespace stamp::cuda
