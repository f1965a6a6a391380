// SPDX-License-Identifier: Apache-2.0
// The two products of attention as Hopper's matrix instructions, tile by tile; and how queries come
// into shared memory in the layout that these read.
#pragma once

#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/attend/hopper/tile.cuh>
#include <stamp/cuda/attend/hopper/wgmma.cuh>

namespace stamp::cuda {

/// 16 bytes, eight numbers.
struct alignas(16) HopperPiece {
  std::uint32_t words[4];
};

/// 64 packed query rows from `first` on into rows from `at` on of the tile of queries, by a
/// warpgroup; zeros behind the last one. Packed rows of a group of heads are no box of a tensor,
/// so threads copy them.
template <int dim>
__device__ void load_query(std::byte* tile, const AttendCall<bfloat16>& call, Index kv_head,
                           Index first, int at) {
  constexpr int pieces = dim / 8;  // a row
  const PackedRows packing = call.packing();
  for (int piece = static_cast<int>(threadIdx.x) % warpgroup; piece < 64 * pieces;
       piece += warpgroup) {
    const int row = piece / pieces;
    const int d = piece % pieces * 8;
    HopperPiece numbers{};
    if (first + row < call.packed_rows()) {
      numbers = *reinterpret_cast<const HopperPiece*>(
          call.query.data + packing.token(first + row) * call.query.stride +
          packing.head(first + row, kv_head) * dim + d);
    }
    *reinterpret_cast<HopperPiece*>(tile + place_in_tile(dim, hopper_rows, at + row, d)) = numbers;
  }
}

/// Rows of a tile of values from key `begin` on that are not in the hull become zero: what nobody
/// sees may be no number at all, and its weight of zero would not remove it.
template <int dim>
__device__ void clear_unseen(std::byte* tile, const KeyTiles<hopper_keys>& tiles, int begin) {
  constexpr int pieces = dim / 8;
  for (int piece = static_cast<int>(threadIdx.x) % warpgroup; piece < hopper_keys * pieces;
       piece += warpgroup) {
    if (tiles.holds(begin + piece / pieces)) continue;
    *reinterpret_cast<HopperPiece*>(
        tile + place_in_tile(dim, hopper_keys, piece / pieces, piece % pieces * 8)) = {};
  }
}

/// score = query·keyᵀ of 64 rows from `row` on of the tile of queries; issued, not finished.
template <int dim>
__device__ __forceinline__ void issue_scores(float (&score)[hopper_keys / 2], std::uint32_t query,
                                             std::uint32_t row, std::uint32_t key) {
  constexpr std::uint32_t no_leading = 16;  // a product stays within a row of a box
  constexpr std::uint32_t wide = row_bytes(Swizzle::bytes_128);
  constexpr std::uint32_t narrow = row_bytes(Swizzle::bytes_32);
  const std::uint64_t a = matrix_descriptor(Swizzle::bytes_128, query + row * wide, no_leading);
  const std::uint64_t b = matrix_descriptor(Swizzle::bytes_128, key, no_leading);
#pragma unroll
  for (std::uint32_t step = 0; step < 4 * wide_boxes(dim); ++step) {
    const std::uint32_t box = step / 4;
    const std::uint32_t column = step % 4 * 32;
    wgmma::multiply_128(score, moved(a, box * hopper_rows * wide + column),
                        moved(b, box * hopper_keys * wide + column), step > 0);
  }
  if constexpr (has_narrow_box(dim)) {
    constexpr std::uint32_t boxes = wide_boxes(dim) * wide;
    wgmma::multiply_128(score,
                        matrix_descriptor(Swizzle::bytes_32,
                                          query + hopper_rows * boxes + row * narrow, no_leading),
                        matrix_descriptor(Swizzle::bytes_32, key + hopper_keys * boxes, no_leading),
                        true);
  }
}

/// y += weight·value; issued, not finished.
template <int dim>
__device__ __forceinline__ void issue_values(float (&y)[dim / 2],
                                             const std::uint32_t (&weight)[hopper_keys / 16][4],
                                             std::uint32_t value) {
  constexpr int columns = 64 * wide_boxes(dim);
  constexpr std::uint32_t wide = row_bytes(Swizzle::bytes_128);
  constexpr std::uint32_t narrow = row_bytes(Swizzle::bytes_32);
  const std::uint64_t b = matrix_descriptor(Swizzle::bytes_128, value, hopper_keys * wide);
  const std::uint64_t rest = matrix_descriptor(
      Swizzle::bytes_32, value + wide_boxes(dim) * hopper_keys * wide, hopper_keys * narrow);
#pragma unroll
  for (std::uint32_t step = 0; step < hopper_keys / 16; ++step) {
    wgmma::multiply_add<columns>(y, weight[step], moved(b, step * 16 * wide));
    if constexpr (has_narrow_box(dim)) {
      wgmma::multiply_add<16>(y + columns / 2, weight[step], moved(rest, step * 16 * narrow));
    }
  }
}

}  // namespace stamp::cuda
