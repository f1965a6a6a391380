// SPDX-License-Identifier: Apache-2.0
// Attention for Hopper: one warp keeps two rings of tiles filled by the tensor memory accelerator;
// two warpgroups multiply, each with 64 query rows. The scores of the next tile and the values of
// the last one are multiplied while softmax runs in float. Weights are rounded to bfloat16.
#pragma once

#include <stamp/cuda/attend/find_tiles.cuh>
#include <stamp/cuda/attend/hopper/products.cuh>
#include <stamp/cuda/attend/hopper/softmax.cuh>

namespace stamp::cuda {

/// One thread: keys of tile 0, then keys of each further tile before the values of the one before.
template <int dim>
__device__ void hopper_produce(HopperShared<dim>& shared, const HopperMaps& maps, int kv_head) {
  typename HopperRing<dim>::Turn key;
  typename HopperRing<dim>::Turn value;
  const int begin = shared.first_tile;
  const int end = shared.end_tile;
  for (int tile = begin; tile <= end; ++tile) {
    if (tile < end) {
      shared.key.load(key, maps.key, maps.narrow_key, kv_head, shared.tiles.tile(tile).begin);
    }
    if (tile > begin) {
      shared.value.load(value, maps.value, maps.narrow_value, kv_head,
                        shared.tiles.tile(tile - 1).begin);
    }
  }
}

/// Writes the two rows of each thread: y where nothing is split, else the part's sums.
template <int dim>
__device__ void write_rows(const float (&y)[dim / 2], const HopperSoftmax& softmax,
                           const AttendCall<bfloat16>& call, const AttendParts& parts,
                           Index kv_head, Index packed, int t) {
  constexpr float ln_2 = 0.69314718055994531F;
  const PackedRows packing = call.packing();
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float total = softmax.total(half);
    const Index row = packed + 8 * half;
    if (row >= call.packed_rows()) continue;
    if (gridDim.z > 1) {
      const Index at =
          (static_cast<Index>(blockIdx.z) * call.key.heads + kv_head) * call.packed_rows() + row;
      if (t == 0) {
        parts.largest[at] = softmax.largest[half] * ln_2;
        parts.sum[at] = total;
      }
#pragma unroll
      for (int block = 0; block < dim / 8; ++block) {
        float* const to = parts.values + at * dim + block * 8 + t * 2;
        to[0] = y[4 * block + 2 * half];
        to[1] = y[4 * block + 2 * half + 1];
      }
      continue;
    }
    // Divided like parts that are put together, of which one alone may have seen keys.
    const float whole = total == 0 ? 1 : total;
    bfloat16* const to =
        call.y.data + packing.token(row) * call.y.stride + packing.head(row, kv_head) * dim;
#pragma unroll
    for (int block = 0; block < dim / 8; ++block) {
      *reinterpret_cast<std::uint32_t*>(to + block * 8 + t * 2) =
          mma::pack_two(y[4 * block + 2 * half] / whole, y[4 * block + 2 * half + 1] / whole);
    }
  }
}

/// Warpgroup `group` of the consumers: 64 packed rows from first + 64·group on.
template <int dim>
__device__ void hopper_consume(HopperShared<dim>& shared, const AttendCall<bfloat16>& call,
                               const AttendParts& parts, Index kv_head, Index first, int group) {
  constexpr float log2_e = 1.4426950408889634F;
  const int thread = static_cast<int>(threadIdx.x) % warpgroup;
  const int t = thread % 4;
  const bool elected = thread % 32 == 0;
  const int row = group * 64 + thread / 32 * 16 + thread % 32 / 4;  // and 8 below
  const auto gathering = static_cast<std::uint32_t>(1 + group);     // this warpgroup's barrier
  const RowIntervals seen[2] = {RowIntervals(shared.visible[row]),
                                RowIntervals(shared.visible[row + 8])};
  const float scale = call.scale * log2_e;

  load_query<dim>(shared.query, call, kv_head, first + group * 64, group * 64);
  tma::publish_writes();
  tma::meet(gathering, warpgroup);
  const std::uint32_t query = tma::shared_address(shared.query);
  const auto rows = static_cast<std::uint32_t>(group) * 64;

  typename HopperRing<dim>::Turn key;
  typename HopperRing<dim>::Turn value;
  HopperSoftmax softmax;
  float y[dim / 2] = {};
  float score[hopper_keys / 2];
  std::uint32_t weight[hopper_keys / 16][4];

  // The values of a tile's keys; all of this warpgroup comes here.
  const auto start_values = [&](int tile) {
    const auto keys = shared.tiles.tile(tile);
    shared.value.wait(value);
    if (!shared.tiles.fills(keys)) {
      clear_unseen<dim>(shared.value.tile[value.stage], shared.tiles, keys.begin);
      tma::publish_writes();
      tma::meet(gathering, warpgroup);
    }
    wgmma::fence();
    issue_values<dim>(y, weight, tma::shared_address(shared.value.tile[value.stage]));
    wgmma::commit();
  };

  const auto start_scores = [&] {
    shared.key.wait(key);
    wgmma::fence();
    issue_scores<dim>(score, query, rows, tma::shared_address(shared.key.tile[key.stage]));
    wgmma::commit();
  };

  const int begin = shared.first_tile;
  const int end = shared.end_tile;
  if (begin < end) {
    start_scores();
    wgmma::wait<0>();
    wgmma::settle(score);
    shared.key.release(key, elected);
    softmax.weigh(score, seen, shared.tiles.tile(begin), scale, t);
    pack_weights(weight, score);
    for (int tile = begin + 1; tile < end; ++tile) {
      start_scores();
      start_values(tile - 1);
      wgmma::wait<1>();
      wgmma::settle(score);
      shared.key.release(key, elected);
      softmax.weigh(score, seen, shared.tiles.tile(tile), scale, t);
      wgmma::wait<0>();
      wgmma::settle(y);
      shared.value.release(value, elected);
#pragma unroll
      for (int at = 0; at < dim / 2; ++at) y[at] *= softmax.shrink[at % 4 / 2];
      pack_weights(weight, score);
    }
    start_values(end - 1);
    wgmma::wait<0>();
    wgmma::settle(y);
    shared.value.release(value, elected);
  }
  write_rows<dim>(y, softmax, call, parts, kv_head, first + row, t);
}

/// Block (x: query tile, y: key head, z: part of the keys). Equals, for every packed row,
///   for key the row sees, in its part of the tiles: score, weight, sum, y as in attend_naive_body
/// with one rescaling a tile. Writes y where nothing is split, else the part's sums.
template <int dim>
__device__ void attend_hopper_body(HopperShared<dim>& shared, const AttendCall<bfloat16>& call,
                                   const AttendParts& parts, const HopperMaps& maps) {
  const PackedRows packing = call.packing();
  const auto kv_head = static_cast<Index>(blockIdx.y);
  // Later rows of a causal mask see more: they begin first.
  const Index first = static_cast<Index>(gridDim.x - 1 - blockIdx.x) * hopper_rows;
  const int thread = static_cast<int>(threadIdx.x);

  if (thread < hopper_rows) {
    shared.visible[thread] = first + thread < call.packed_rows()
                                 ? call.mask.visible(packing.token(first + thread), call.key.rows)
                                 : Visible{};
  }
  if (thread == hopper_rows) {
    tma::prefetch(maps.key);
    tma::prefetch(maps.value);
    if constexpr (has_narrow_box(dim)) {
      tma::prefetch(maps.narrow_key);
      tma::prefetch(maps.narrow_value);
    }
    shared.key.prepare();
    shared.value.prepare();
    tma::publish_barriers();
  }
  __syncthreads();
  if (thread < 32) find_tiles(shared.tiles, shared.hulls, shared.visible);
  if (thread == 0) {
    const auto mine = shared.tiles.part(static_cast<Index>(blockIdx.z), parts.split.tiles);
    shared.first_tile = mine.begin;
    shared.end_tile = mine.end;
  }
  __syncthreads();

  if (thread < warpgroup) {
    tma::give_registers<40>();
    if (thread == 0) hopper_produce<dim>(shared, maps, static_cast<int>(kv_head));
  } else {
    tma::take_registers<232>();
    const int group = tma::uniform(thread / warpgroup - 1);
    hopper_consume<dim>(shared, call, parts, kv_head, first, group);
  }
}

}  // namespace stamp::cuda
