// SPDX-License-Identifier: Apache-2.0
// Attention on bfloat16 tensor cores: scores and weighted values are matrix products of tiles,
// softmax runs in float between them, and the next tile of keys travels while one is worked on.
// Weights of the values are rounded to bfloat16, as in PyTorch's own kernels.
#pragma once

#include <cmath>
#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/attend/find_tiles.cuh>
#include <stamp/cuda/attend/mma.cuh>
#include <stamp/cuda/attend/row_intervals.cuh>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr int tensor_warps = 4;
inline constexpr int tensor_threads = 32 * tensor_warps;
inline constexpr int tensor_rows = 16 * tensor_warps;  ///< packed query rows a block, 16 a warp
inline constexpr int tensor_keys = 64;                 ///< keys a tile

/// Shared memory of a block: two tiles of keys and two of values, each row 16 bytes longer than a
/// head, so that the eight rows of a matrix load meet different banks.
template <int dim>
struct TensorShared {
  static constexpr int row = dim + 8;
  bfloat16 key[2][tensor_keys][row];
  bfloat16 value[2][tensor_keys][row];
  Visible visible[tensor_rows];
  KeyHulls hulls;
  KeyTiles<tensor_keys> tiles;
};

/// Starts copying a tile of keys and values; rows that are not in the hull and columns behind the
/// head become zero.
template <int dim>
__device__ inline void start_tile(TensorShared<dim>& shared, int stage,
                                  const AttendCall<bfloat16>& call, Index kv_head,
                                  const KeyTiles<tensor_keys>& tiles, int tile) {
  constexpr int pieces = dim / 8;  // of 16 bytes a row
  const auto size = static_cast<int>(call.y.dim);
  // Their product with a slot is one instruction; it does not fit 32 bits.
  const auto key_stride = static_cast<int>(call.key.stride);
  const auto value_stride = static_cast<int>(call.value.stride);
  const bfloat16* const key_head = call.key.data + kv_head * size;
  const bfloat16* const value_head = call.value.data + kv_head * size;
  const auto keys = tiles.tile(tile);
  const bool whole = tiles.fills(keys);
  for (int at = static_cast<int>(threadIdx.x); at < tensor_keys * pieces; at += tensor_threads) {
    const int key = at / pieces;
    const int d = at % pieces * 8;
    const bool there = (whole || tiles.holds(keys.begin + key)) && d < size;
    const int slot = there ? keys.begin + key : keys.begin;
    const int column = there ? d : 0;
    mma::copy_async(&shared.key[stage][key][d],
                    key_head + static_cast<Index>(slot) * key_stride + column, there);
    mma::copy_async(&shared.value[stage][key][d],
                    value_head + static_cast<Index>(slot) * value_stride + column, there);
  }
}

/// The numbers that relative positions add to the scores of one query row and head, in log2 units.
class TensorBias {
 public:
  __device__ TensorBias(const AttendCall<bfloat16>& call, Index row, Index head)
      : width_(static_cast<int>(call.bias.width)), row_share_(1 / static_cast<float>(width_)) {
    const auto area = static_cast<int>(call.bias.area());
    const int map = static_cast<int>(row) / area;
    const RelativePosition<bfloat16> own = call.bias.of_map(map);
    first_ = map * area;
    vertical_ = own.vertical_of(row - first_, head);
    horizontal_ = own.horizontal_of(row - first_, head);
  }
  /// `key` is one of the row's own map.
  [[nodiscard]] __device__ float at(int key) const {
    constexpr float log2_e = 1.4426950408889634F;
    const int place = key - first_;
    // place / width: half a column from the nearest multiple, which the product's error, below
    // place·2^-23 of a row, does not reach on maps of up to 2^21 positions.
    const int down = static_cast<int>((static_cast<float>(place) + 0.5F) * row_share_);
    return (widen(vertical_[-down]) + widen(horizontal_[down * width_ - place])) * log2_e;
  }

 private:
  const bfloat16* vertical_;
  const bfloat16* horizontal_;
  int first_;  ///< key of the row's map
  int width_;
  float row_share_;
};

/// Block (x: query tile, y: key head, z: part of the keys), `dim` at least the head's size. Equals,
/// for every packed row,
///   for key the row sees, in its part of the tiles: score, weight, sum, y as in attend_naive_body
/// with one rescaling a tile. Writes y where nothing is split, else the part's sums.
template <int dim, bool relative>
__device__ void attend_tensor_body(TensorShared<dim>& shared, const AttendCall<bfloat16>& call,
                                   const AttendParts& parts) {
  constexpr float log2_e = 1.4426950408889634F;
  constexpr float ln_2 = 0.69314718055994531F;
  constexpr int steps = dim / 16;              // of 16 numbers of a head
  constexpr int key_blocks = tensor_keys / 8;  // of 8 keys
  const PackedRows packing = call.packing();
  const Index packed_rows = call.packed_rows();
  const auto kv_head = static_cast<Index>(blockIdx.y);
  const Index first = static_cast<Index>(blockIdx.x) * tensor_rows;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int g = lane / 4;
  const int t = lane % 4;

  if (thread < tensor_rows) {
    shared.visible[thread] = first + thread < packed_rows
                                 ? call.mask.visible(packing.token(first + thread), call.key.rows)
                                 : Visible{};
  }
  __syncthreads();
  if (thread < 32) find_tiles(shared.tiles, shared.hulls, shared.visible);
  __syncthreads();
  const KeyTiles<tensor_keys> tiles = shared.tiles;
  const auto mine = tiles.part(static_cast<Index>(blockIdx.z), parts.split.tiles);

  // This thread's two rows: warp·16 + g and 8 below.
  const Index packed[2] = {first + warp * 16 + g, first + warp * 16 + g + 8};
  const RowIntervals seen[2] = {RowIntervals(shared.visible[warp * 16 + g]),
                                RowIntervals(shared.visible[warp * 16 + g + 8])};
  std::uint32_t query[steps][4];
#pragma unroll
  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const Index row = packed[i % 2];
      const int d = step * 16 + i / 2 * 8 + t * 2;
      query[step][i] = 0;
      if (row < packed_rows && d < call.y.dim) {
        query[step][i] = *reinterpret_cast<const std::uint32_t*>(
            call.query.data + packing.token(row) * call.query.stride +
            packing.head(row, kv_head) * call.y.dim + d);
      }
    }
  }

  float y[2 * steps][4] = {};
  float largest[2] = {-INFINITY, -INFINITY};  // in units of log2
  float sum[2] = {0, 0};                      // of this thread's columns
  const float scale = call.scale * log2_e;

  if (mine.begin < mine.end) start_tile(shared, 0, call, kv_head, tiles, mine.begin);
  mma::commit_copies();
  for (int tile = mine.begin; tile < mine.end; ++tile) {
    const int stage = (tile - mine.begin) % 2;
    if (tile + 1 < mine.end) start_tile(shared, 1 - stage, call, kv_head, tiles, tile + 1);
    mma::commit_copies();  // an empty group where there is no next tile
    mma::wait_for_copies<1>();
    __syncthreads();

    // score = query · keyᵀ
    float score[key_blocks][4] = {};
    const int matrix = lane / 8;
    const int matrix_row = lane % 8;
#pragma unroll
    for (int step = 0; step < steps; ++step) {
#pragma unroll
      for (int pair = 0; pair < key_blocks / 2; ++pair) {
        std::uint32_t b[4];
        mma::load_four(b, &shared.key[stage][pair * 16 + matrix / 2 * 8 + matrix_row]
                                     [step * 16 + matrix % 2 * 8]);
        mma::multiply_add(score[2 * pair], query[step], b[0], b[1]);
        mma::multiply_add(score[2 * pair + 1], query[step], b[2], b[3]);
      }
    }

    // Scale; what a row does not see becomes -inf.
    const auto keys = tiles.tile(tile);
    const int begin = keys.begin;
    const int end = keys.end;
    const bool whole =
        keys.size() == tensor_keys && seen[0].sees_all(begin, end) && seen[1].sees_all(begin, end);
#pragma unroll
    for (int block = 0; block < key_blocks; ++block) {
#pragma unroll
      for (int i = 0; i < 4; ++i) score[block][i] *= scale;
    }
    if (!whole) {
#pragma unroll
      for (int block = 0; block < key_blocks; ++block) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = begin + block * 8 + t * 2 + i % 2;
          const bool there = seen[i / 2].sees(key) & (key < end);
          score[block][i] = there ? score[block][i] : -INFINITY;
        }
      }
    }
    if constexpr (relative) {
      // Rows behind the last one are never stored, so they may read what row 0 reads.
      const Index row[2] = {packed[0] < packed_rows ? packed[0] : 0,
                            packed[1] < packed_rows ? packed[1] : 0};
      const TensorBias bias[2] = {{call, packing.token(row[0]), packing.head(row[0], kv_head)},
                                  {call, packing.token(row[1]), packing.head(row[1], kv_head)}};
#pragma unroll
      for (int block = 0; block < key_blocks; ++block) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = begin + block * 8 + t * 2 + i % 2;
          // A tile may reach into the next map, whose keys are none of this row's.
          if (whole || (key < end && seen[i / 2].sees(key))) {
            score[block][i] += bias[i / 2].at(key);
          }
        }
      }
    }

    // Softmax so far; the four threads of a row agree on the largest score.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = largest[half];
#pragma unroll
      for (int block = 0; block < key_blocks; ++block) {
        most = fmaxf(most, fmaxf(score[block][2 * half], score[block][2 * half + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 1));
      most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 2));
      const float origin = most == -INFINITY ? 0 : most;  // no key seen: all weights are zero
      const float shrink = mma::power_of_two(largest[half] - origin);
      largest[half] = most;
      float added = 0;
#pragma unroll
      for (int block = 0; block < key_blocks; ++block) {
        score[block][2 * half] = mma::power_of_two(score[block][2 * half] - origin);
        score[block][2 * half + 1] = mma::power_of_two(score[block][2 * half + 1] - origin);
        added += score[block][2 * half] + score[block][2 * half + 1];
      }
      sum[half] = sum[half] * shrink + added;
#pragma unroll
      for (int block = 0; block < 2 * steps; ++block) {
        y[block][2 * half] *= shrink;
        y[block][2 * half + 1] *= shrink;
      }
    }

    // y += weight · value; the score's places in registers are those of a left operand.
#pragma unroll
    for (int step = 0; step < tensor_keys / 16; ++step) {
      const std::uint32_t weight[4] = {
          mma::pack_two(score[2 * step][0], score[2 * step][1]),
          mma::pack_two(score[2 * step][2], score[2 * step][3]),
          mma::pack_two(score[2 * step + 1][0], score[2 * step + 1][1]),
          mma::pack_two(score[2 * step + 1][2], score[2 * step + 1][3])};
#pragma unroll
      for (int pair = 0; pair < steps; ++pair) {
        std::uint32_t b[4];
        mma::load_four_transposed(b, &shared.value[stage][step * 16 + matrix % 2 * 8 + matrix_row]
                                                  [pair * 16 + matrix / 2 * 8]);
        mma::multiply_add(y[2 * pair], weight, b[0], b[1]);
        mma::multiply_add(y[2 * pair + 1], weight, b[2], b[3]);
      }
    }
    __syncthreads();  // before the tile after next takes this one's place
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float total = sum[half];
    total += __shfl_xor_sync(0xffffffffU, total, 1);
    total += __shfl_xor_sync(0xffffffffU, total, 2);
    const Index row = packed[half];
    if (row >= packed_rows) continue;
    if (gridDim.z > 1) {
      const Index at =
          (static_cast<Index>(blockIdx.z) * call.key.heads + kv_head) * packed_rows + row;
      if (t == 0) {
        parts.largest[at] = largest[half] * ln_2;
        parts.sum[at] = total;
      }
#pragma unroll
      for (int block = 0; block < 2 * steps; ++block) {
        const int d = block * 8 + t * 2;
        if (d >= call.y.dim) continue;
        parts.values[at * call.y.dim + d] = y[block][2 * half];
        parts.values[at * call.y.dim + d + 1] = y[block][2 * half + 1];
      }
      continue;
    }
    // Divided like parts that are put together, of which one alone may have seen keys.
    const float whole = total == 0 ? 1 : total;
    bfloat16* const to =
        call.y.data + packing.token(row) * call.y.stride + packing.head(row, kv_head) * call.y.dim;
#pragma unroll
    for (int block = 0; block < 2 * steps; ++block) {
      const int d = block * 8 + t * 2;
      if (d >= call.y.dim) continue;
      *reinterpret_cast<std::uint32_t*>(to + d) =
          mma::pack_two(y[block][2 * half] / whole, y[block][2 * half + 1] / whole);
    }
  }
}

}  // namespace stamp::cuda
