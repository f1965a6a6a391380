// SPDX-License-Identifier: Apache-2.0
// Where patches stand: the grid of an image, and the 2-D rotary angles of its patches.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/model/qwen2_vl/config.hpp>
#include <stamp/nn/rotary.hpp>
#include <vector>

namespace stamp::qwen2_vl {

/// Patches of all images.
[[nodiscard]] inline Index count_patches(std::span<const PatchGrid> grids) {
  Index sum = 0;
  for (const PatchGrid& grid : grids) sum += grid.patches();
  return sum;
}

/// Cumulative patches a frame, starting with 0 (upstream's cu_seqlens): attention stays inside.
[[nodiscard]] inline std::vector<std::int32_t> frame_boundaries(std::span<const PatchGrid> grids) {
  std::vector<std::int32_t> boundaries{0};
  for (const PatchGrid& grid : grids) {
    for (Index frame = 0; frame < grid.t; ++frame) {
      boundaries.push_back(boundaries.back() + static_cast<std::int32_t>(grid.h * grid.w));
    }
  }
  return boundaries;
}

/// visit(row, column) for every patch in the order of pixel_values: merge groups row-major, inside
/// a group row-major; once a frame.
template <class Visit>
void for_each_patch(const PatchGrid& grid, Index merge, const Visit& visit) {
  for (Index frame = 0; frame < grid.t; ++frame) {
    for (Index row = 0; row < grid.h; row += merge) {
      for (Index column = 0; column < grid.w; column += merge) {
        for (Index inner = 0; inner < merge * merge; ++inner) {
          visit(row + inner / merge, column + inner % merge);
        }
      }
    }
  }
}

/// 2-D rotary tables: the first half of the pairs turns with the row, the second with the column,
/// both with frequencies 10000^(-2j/(HeadDim/2)). Upstream's rot_pos_emb.
template <Backend B>
[[nodiscard]] Rotary<B, Patches> vision_rotary(B& engine, std::span<const PatchGrid> grids,
                                               const VisionConfig& config) {
  using Number = typename B::Number;
  constexpr double theta = 10000;
  Turns<Number, Number> turns(theta, config.head_dim() / 2);
  std::vector<Number> cosines;
  std::vector<Number> sines;
  const std::size_t pairs = 2 * turns.pairs();
  cosines.reserve(static_cast<std::size_t>(count_patches(grids)) * pairs);
  sines.reserve(cosines.capacity());
  for (const PatchGrid& grid : grids) {
    for_each_patch(grid, config.spatial_merge_size, [&](Index row, Index column) {
      for (const Index coordinate : {row, column}) {
        turns.append(cosines, sines, coordinate, 0, turns.pairs());
      }
    });
  }
  return rotary(engine, Patches{count_patches(grids)}, Pairs{static_cast<Index>(pairs)},
                std::span<const Number>(cosines), std::span<const Number>(sines));
}

}  // namespace stamp::qwen2_vl
