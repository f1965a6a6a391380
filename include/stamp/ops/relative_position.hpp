// SPDX-License-Identifier: Apache-2.0
// What is added to attention scores beside the mask: SAM's decomposed relative positions.
#pragma once

#include <stamp/tensor/check.hpp>
#include <string>

namespace stamp {

/// Queries and keys are the positions of one map of height · width, row by row. To the scaled score
/// of query (y, x) and key (v, u) of one head come two numbers that depend on how far apart they
/// stand along each side:
///
///   vertical[query, head, y - v + height - 1] + horizontal[query, head, x - u + width - 1]
///
/// vertical [height·width, heads, 2·height - 1] and horizontal [height·width, heads, 2·width - 1],
/// dense, in the engine's memory: unscaled queries times the learned tables. Upstream's
/// add_decomposed_rel_pos (segment_anything/modeling/image_encoder.py), after MViTv2.
template <class T>
struct RelativePosition {
  const T* vertical = nullptr;
  const T* horizontal = nullptr;
  Index heads = 0;
  Index height = 0;
  Index width = 0;

  /// Positions of a map.
  [[nodiscard]] constexpr Index area() const { return height * width; }
  /// Where several maps of this size stand one after another, and their numbers do, too: those of
  /// the map-th.
  [[nodiscard]] constexpr RelativePosition of_map(Index map) const {
    const Index lines = map * area() * heads;
    return {vertical + lines * (2 * height - 1), horizontal + lines * (2 * width - 1), heads,
            height, width};
  }

  /// The vertical numbers of one query and head by the key's row: v ↦ vertical[…, y - v + …].
  [[nodiscard]] constexpr const T* vertical_of(Index query, Index head) const {
    return vertical + (query * heads + head) * (2 * height - 1) + query / width + height - 1;
  }
  [[nodiscard]] constexpr const T* horizontal_of(Index query, Index head) const {
    return horizontal + (query * heads + head) * (2 * width - 1) + query % width + width - 1;
  }
};

/// The door of an attention with relative positions: queries and keys are the map's positions.
template <class T>
void check_positions(const RelativePosition<T>& bias, Index queries, Index heads, Index keys) {
  const Index positions = bias.area();
  if (queries != positions || keys != positions || heads != bias.heads) {
    fail(Fault::usage, "attend: expected " + std::to_string(positions) + " queries and keys of " +
                           std::to_string(bias.heads) + " heads for relative positions on " +
                           std::to_string(bias.height) + " x " + std::to_string(bias.width) +
                           ", found " + std::to_string(queries) + " and " + std::to_string(keys) +
                           " of " + std::to_string(heads));
  }
}

}  // namespace stamp
