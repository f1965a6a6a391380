// SPDX-License-Identifier: Apache-2.0
// How the blocks of the mask head divide a picture: tiles, each of some cells of the grid and of
// the pixels that lie over them. Plain arithmetic, the same here and there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stamp/ops/picture.hpp>
#include <string>

namespace stamp::cuda {

/// InterpolatedAxis where a kernel can read it.
struct AxisReading {
  const std::int32_t* first;
  const std::int32_t* second;
  const float* share;
  std::int32_t inputs;   ///< cells
  std::int32_t outputs;  ///< pixels
  std::int32_t tiles;    ///< that share them evenly
};

/// Cells along the sides of a tile. The window around them is a cell or two larger on each side: so
/// small tiles multiply more rows than there are, and large ones leave multiprocessors without a
/// block. An image of 32 x 32 cells is 128 tiles.
inline constexpr Index tile_rows = 2;
inline constexpr Index tile_columns = 4;
/// Cells that a block's shared memory has room for.
inline constexpr Index largest_window = 8192;

/// Some neighbouring cells or pixels of an axis.
struct AxisRange {
  std::int32_t begin;
  std::int32_t end;
  [[nodiscard]] constexpr std::int32_t size() const { return end - begin; }
  [[nodiscard]] constexpr bool holds(std::int32_t at) const { return begin <= at && at < end; }
};

/// A tile along one axis: the cells whose logits it writes, the pixels that it makes, and the
/// cells that it needs for both.
struct AxisTile {
  AxisRange cells, pixels, window;
};

[[nodiscard]] constexpr AxisTile tile_of(const AxisReading& axis, Index tile) {
  const auto part = [&](Index count) {
    return AxisRange{static_cast<std::int32_t>(tile * count / axis.tiles),
                     static_cast<std::int32_t>((tile + 1) * count / axis.tiles)};
  };
  const AxisRange cells = part(axis.inputs);
  const AxisRange pixels = part(axis.outputs);
  AxisRange window = cells;
  if (pixels.size() > 0) {
    const std::int32_t first = axis.first[pixels.begin];
    const std::int32_t last = axis.second[pixels.end - 1];
    if (first < window.begin) window.begin = first;
    if (last >= window.end) window.end = last + 1;
  }
  return {cells, pixels, window};
}

/// An axis in host memory, in tiles of about `cells`.
[[nodiscard]] inline AxisReading reading_of(const InterpolatedAxis& axis, Index cells) {
  return {axis.first.data(),
          axis.second.data(),
          axis.share.data(),
          static_cast<std::int32_t>(axis.inputs),
          static_cast<std::int32_t>(axis.outputs()),
          static_cast<std::int32_t>(std::max<Index>((axis.inputs + cells - 1) / cells, 1))};
}

/// Cells of the largest window of all tiles; both axes in host memory. Error{usage} where it has no
/// room, since neighbouring pixels then read cells that lie far apart.
[[nodiscard]] inline Index window_of(const AxisReading& rows, const AxisReading& columns) {
  const auto longest = [](const AxisReading& axis) {
    std::int32_t found = 0;
    for (std::int32_t tile = 0; tile < axis.tiles; ++tile) {
      found = std::max(found, tile_of(axis, tile).window.size());
    }
    return Index{found};
  };
  const Index window = longest(rows) * longest(columns);
  if (window > largest_window) {
    fail(Fault::usage, "mask_head: expected tiles that read at most " +
                           std::to_string(largest_window) + " cells, found " +
                           std::to_string(window));
  }
  return window;
}

}  // namespace stamp::cuda
