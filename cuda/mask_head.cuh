// SPDX-License-Identifier: Apache-2.0
// The mask head: a block makes the pixels of a tile (mask_tiles.hpp) from the logits of the cells
// around it, which it makes itself, a warp a cell. Cells between two tiles are multiplied by both:
// that costs less than to write them and begin another kernel.
#pragma once

#include <cmath>
#include <stamp/cuda/mask_head.hpp>
#include <stamp/cuda/norm_matmul.cuh>

namespace stamp::cuda {

inline constexpr int mask_head_threads = 256;

struct MaskHeadRegisters {
  float sum;
  float scale;
  TileForeground foreground;
};

// Rounded one by one, whatever the compiler may contract: pixels are those of the host.
__host__ __device__ inline float product_of(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
__host__ __device__ inline float sum_of(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}
/// a·(1 - share) + b·share
__host__ __device__ inline float between(float a, float b, float share) {
  return sum_of(product_of(a, 1 - share), product_of(b, share));
}

/// Block (row of tiles, column of tiles); `logits` has room for the largest window, `foregrounds`
/// is [mask_head_threads]. requirement::HasMaskHead says what is computed; a thread sums its
/// pixels, then halves of the block join.
template <Element T, class Block>
__host__ __device__ void mask_head_body(Block& block, float* logits, TileForeground* foregrounds,
                                        const MaskHead<T>& p, bool aligned) {
  const AxisTile down = tile_of(p.rows, block.x());
  const AxisTile across = tile_of(p.columns, block.y());
  const int wide = across.window.size();
  const int cells = down.window.size() * wide;
  const auto place_of = [&](int cell) {  // on the grid
    return Index{down.window.begin + cell / wide} * p.columns.inputs + across.window.begin +
           cell % wide;
  };

  constexpr int warps = mask_head_threads / warp_size;
  for (int first = 0; first < cells; first += warps) {
    // Warps behind the last cell repeat it and write nothing, so that all meet at the barriers.
    const auto x_of = [&](int thread) {
      const int cell = first + thread / warp_size;
      return p.x.data + place_of(cell < cells ? cell : cells - 1) * p.x.stride;
    };
    row_scale<T>(block, x_of, p.x.columns, p.eps, aligned);
    normal_product<T>(block, x_of, p.norm, p.weight, p.x.columns, aligned);
    block.each([&](int thread, MaskHeadRegisters& r) {
      const int cell = first + thread / warp_size;
      if (thread % warp_size != 0 || cell >= cells) return;
      logits[cell] = widen(narrow<T>(r.sum + widen(*p.bias)));
      const int row = down.window.begin + cell / wide;
      const int column = across.window.begin + cell % wide;
      if (down.cells.holds(row) && across.cells.holds(column)) {
        p.logits[place_of(cell)] = logits[cell];
      }
    });
  }

  block.each([&](int thread, MaskHeadRegisters& r) {
    r.foreground = {0, 0};
    for (int y = down.pixels.begin + thread / warp_size; y < down.pixels.end; y += warps) {
      const float* const above = logits + (p.rows.first[y] - down.window.begin) * wide;
      const float* const below = logits + (p.rows.second[y] - down.window.begin) * wide;
      for (int x = across.pixels.begin + thread % warp_size; x < across.pixels.end;
           x += warp_size) {
        const int left = p.columns.first[x] - across.window.begin;
        const int right = p.columns.second[x] - across.window.begin;
        const float share = p.columns.share[x];
        const float logit = between(between(above[left], above[right], share),
                                    between(below[left], below[right], share), p.rows.share[y]);
        const bool foreground = logit > p.threshold;
        p.picture[Index{y} * p.columns.outputs + x] = foreground ? 1 : 0;
        if (foreground) {
          ++r.foreground.area;
          r.foreground.probability += 1 / (1 + std::exp(-static_cast<double>(logit)));
        }
      }
    }
    foregrounds[thread] = r.foreground;
  });
  for (int half = mask_head_threads / 2; half > 0; half /= 2) {
    block.each([&](int thread, MaskHeadRegisters&) {
      if (thread >= half) return;
      foregrounds[thread].area += foregrounds[thread + half].area;
      foregrounds[thread].probability += foregrounds[thread + half].probability;
    });
  }
  block.each([&](int thread, MaskHeadRegisters&) {
    if (thread == 0) p.foregrounds[block.x() * p.columns.tiles + block.y()] = foregrounds[0];
  });
}

}  // namespace stamp::cuda
