// SPDX-License-Identifier: Apache-2.0
// Attention in tiles: queries, keys and values in shared memory as floats, softmax carried along
// while the keys pass. Exact float arithmetic; the path of float32 and of odd strides.
#pragma once

#include <cmath>
#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/block.cuh>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr Index tiled_dim = 128;  ///< largest head
inline constexpr int tiled_rows = 32;    ///< packed query rows a block
inline constexpr int tiled_keys = 32;    ///< keys a tile
inline constexpr int tiled_threads = 256;
inline constexpr int tiled_row_threads = tiled_threads / tiled_rows;  ///< that share a row
inline constexpr int tiled_thread_dims = static_cast<int>(tiled_dim) / tiled_row_threads;

struct TiledRegisters {
  float value[tiled_thread_dims];
  float largest;
  float sum;
};

/// Shared memory: rows of queries and keys have one float more than a head, so that the threads of
/// a warp, which read one column of them, meet different banks.
struct TiledShared {
  float* query;      ///< [tiled_rows, dim + 1], scaled
  float* key;        ///< [tiled_keys, dim + 1]
  float* value;      ///< [tiled_keys, dim]
  float* score;      ///< [tiled_rows, tiled_keys + 1]
  Visible* visible;  ///< [tiled_rows]

  __host__ __device__ TiledShared(float* memory, Index dim)
      : query(memory + tiled_rows * sizeof(Visible) / sizeof(float)),
        key(query + tiled_rows * (dim + 1)),
        value(key + tiled_keys * (dim + 1)),
        score(value + tiled_keys * dim),
        visible(reinterpret_cast<Visible*>(memory)) {}
  [[nodiscard]] static constexpr std::size_t floats(Index dim) {
    return static_cast<std::size_t>(
        tiled_rows * static_cast<Index>(sizeof(Visible) / sizeof(float)) + tiled_rows * (dim + 1) +
        tiled_keys * (dim + 1) + tiled_keys * dim + tiled_rows * (tiled_keys + 1));
  }
};

/// Block (x: query tile, y: key head, z: part of the keys). Equals, for every packed row,
///   for key the row sees, in its part of the tiles: score, weight, sum, y as in attend_naive_body
/// with one rescaling a tile. Writes y where nothing is split, else the part's sums.
template <Element T, class Block>
__host__ __device__ void attend_tiled_body(Block& block, float* memory, const AttendCall<T>& call,
                                           const AttendParts& parts) {
  const Index dim = call.y.dim;
  const TiledShared shared(memory, dim);
  const PackedRows packing = call.packing();
  const Index kv_head = block.y();
  const Index first = block.x() * tiled_rows;
  const Index rows =
      call.packed_rows() - first < tiled_rows ? call.packed_rows() - first : tiled_rows;
  block.each([&](int thread, TiledRegisters& r) {
    r.largest = -INFINITY;
    r.sum = 0;
#pragma unroll
    for (int i = 0; i < tiled_thread_dims; ++i) r.value[i] = 0;
    if (thread < tiled_rows) {
      shared.visible[thread] = thread < rows
                                   ? call.mask.visible(packing.token(first + thread), call.key.rows)
                                   : Visible{};
    }
    for (Index at = thread; at < tiled_rows * dim; at += tiled_threads) {
      const Index row = at / dim;
      const Index d = at % dim;
      float number = 0;
      if (row < rows) {
        const T* const from = call.query.data + packing.token(first + row) * call.query.stride +
                              packing.head(first + row, kv_head) * dim;
        number = widen(from[d]) * call.scale;
      }
      shared.query[row * (dim + 1) + d] = number;
    }
  });
  KeyHull hull;
  for (int row = 0; row < tiled_rows; ++row) hull.join(shared.visible[row]);
  const KeyTiles<tiled_keys> tiles(hull);
  const auto mine = tiles.part(block.z(), parts.split.tiles);

  for (int tile = mine.begin; tile < mine.end; ++tile) {
    const auto keys = tiles.tile(tile);
    block.each([&](int thread, TiledRegisters&) {
      for (Index at = thread; at < tiled_keys * dim; at += tiled_threads) {
        const Index key = at / dim;
        const Index d = at % dim;
        const Index slot = keys.begin + key;
        const bool there = tiles.holds(static_cast<int>(slot));
        shared.key[key * (dim + 1) + d] =
            there ? widen(call.key.data[slot * call.key.stride + kv_head * dim + d]) : 0;
        shared.value[key * dim + d] =
            there ? widen(call.value.data[slot * call.value.stride + kv_head * dim + d]) : 0;
      }
    });
    block.each([&](int thread, TiledRegisters&) {
      // score[row][key] = query[row] · key[key] (+ bias); -inf where the row does not see it.
      for (int at = thread; at < tiled_rows * tiled_keys; at += tiled_threads) {
        const int row = at / tiled_keys;
        const int key = at % tiled_keys;
        float dot = 0;
        for (Index d = 0; d < dim; ++d) {
          dot += shared.query[row * (dim + 1) + d] * shared.key[key * (dim + 1) + d];
        }
        const Index slot = keys.begin + key;
        const bool sees = slot < keys.end && shared.visible[row].sees(slot);
        if (sees && call.relative()) {
          dot += call.bias_of(packing.token(first + row), packing.head(first + row, kv_head), slot);
        }
        shared.score[row * (tiled_keys + 1) + key] = sees ? dot : -INFINITY;
      }
    });
    block.each([&](int thread, TiledRegisters& r) {
      // Each of the threads that share a row repeats its softmax: cheaper than telling each other.
      const int row = thread / tiled_row_threads;
      const float* const score = shared.score + row * (tiled_keys + 1);
      float largest = r.largest;
      for (int key = 0; key < tiled_keys; ++key) {
        if (!(score[key] <= largest)) largest = score[key];  // NaN stays
      }
      if (largest == -INFINITY) return;  // nothing seen so far
      const float shrink = std::exp(r.largest - largest);
      r.largest = largest;
      r.sum *= shrink;
#pragma unroll
      for (int i = 0; i < tiled_thread_dims; ++i) r.value[i] *= shrink;
      for (int key = 0; key < tiled_keys; ++key) {
        const float weight = std::exp(score[key] - largest);
        r.sum += weight;
        const float* const value = shared.value + key * dim;
#pragma unroll
        for (int i = 0; i < tiled_thread_dims; ++i) {
          const Index d = thread % tiled_row_threads + i * tiled_row_threads;
          if (d < dim) r.value[i] += weight * value[d];
        }
      }
    });
  }

  block.each([&](int thread, TiledRegisters& r) {
    const int row = thread / tiled_row_threads;
    if (row >= rows) return;
    const Index packed = first + row;
    const Index at = (block.z() * call.key.heads + kv_head) * call.packed_rows() + packed;
    if (parts.split.parts > 1 && thread % tiled_row_threads == 0) {
      parts.largest[at] = r.largest;
      parts.sum[at] = r.sum;
    }
    T* const y =
        call.y.data + packing.token(packed) * call.y.stride + packing.head(packed, kv_head) * dim;
#pragma unroll
    for (int i = 0; i < tiled_thread_dims; ++i) {
      const Index d = thread % tiled_row_threads + i * tiled_row_threads;
      if (d >= dim) continue;
      if (parts.split.parts > 1) {
        parts.values[at * dim + d] = r.value[i];
      } else {
        y[d] = narrow<T>(r.sum == 0 ? 0 : r.value[i] / r.sum);
      }
    }
  });
}

}  // namespace stamp::cuda
