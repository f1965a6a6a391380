// SPDX-License-Identifier: Apache-2.0
// What the warps of a block of the Hopper kernel share: a tile of queries, a ring of tiles of keys
// and one of values, and the barriers by which they pass tiles to each other.
#pragma once

#include <cstddef>
#include <stamp/cuda/attend/find_tiles.cuh>
#include <stamp/cuda/attend/hopper/layout.hpp>
#include <stamp/cuda/attend/hopper/tma.cuh>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr int warpgroup = 128;                      ///< threads
inline constexpr int hopper_consumers = 2;                 ///< warpgroups that multiply
inline constexpr int hopper_rows = 64 * hopper_consumers;  ///< packed query rows a block
inline constexpr int hopper_keys = 128;                    ///< keys a tile
inline constexpr int hopper_threads = warpgroup * (1 + hopper_consumers);

/// The boxes that copies take; the narrow ones only where a head has a narrow box.
struct HopperMaps {
  tma::Map key, value, narrow_key, narrow_value;
};

/// Which tile of a ring is next, and the parity of its barriers' phase.
template <int stages>
struct HopperTurn {
  int stage = 0;
  std::uint32_t parity = 0;
  __device__ void next() {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1U;
  }
};

/// Tiles on their way from the producer to the consumers. `full`: all bytes have come; `empty`:
/// every warp of the consumers is done with it.
template <int dim>
struct HopperRing {
  static constexpr int stages = dim == 128 ? 2 : 3;
  static constexpr std::uint32_t tile_bytes = hopper_keys * dim * 2;
  using Turn = HopperTurn<stages>;

  alignas(1024) std::byte tile[stages][tile_bytes];
  tma::Barrier full[stages];
  tma::Barrier empty[stages];

  /// By one thread, before all others.
  __device__ void prepare() {
    for (int stage = 0; stage < stages; ++stage) {
      tma::prepare(full[stage], 1);
      tma::prepare(empty[stage], hopper_consumers * warpgroup / 32);
    }
  }
  /// Starts the copy of a tile, as soon as its place is free.
  __device__ void load(Turn& turn, const tma::Map& wide, const tma::Map& narrow, int head,
                       int key) {
    tma::wait(empty[turn.stage], turn.parity ^ 1U);
    tma::arrive_and_expect(full[turn.stage], tile_bytes);
    std::byte* to = tile[turn.stage];
#pragma unroll
    for (int box = 0; box < wide_boxes(dim); ++box) {
      tma::load(to, wide, full[turn.stage], box * 64, head, key);
      to += hopper_keys * row_bytes(Swizzle::bytes_128);
    }
    if constexpr (has_narrow_box(dim)) {
      tma::load(to, narrow, full[turn.stage], wide_boxes(dim) * 64, head, key);
    }
    turn.next();
  }
  /// By whole warps, which go on together: products are issued by warps, not by threads.
  __device__ void wait(const Turn& turn) {
    tma::wait(full[turn.stage], turn.parity);
    __syncwarp();
  }
  /// By one lane of each warp of the consumers.
  __device__ void release(Turn& turn, bool elected) {
    if (elected) tma::arrive(empty[turn.stage]);
    turn.next();
  }
};

template <int dim>
struct HopperShared {
  alignas(1024) std::byte query[hopper_rows * dim * 2];
  HopperRing<dim> key;
  HopperRing<dim> value;
  Visible visible[hopper_rows];
  KeyHulls hulls;
  KeyTiles<hopper_keys> tiles;  ///< read where they are needed: registers are for products
  int first_tile;
  int end_tile;
};

}  // namespace stamp::cuda
