// SPDX-License-Identifier: Apache-2.0
// Where the positions of a map stand when it is cut into windows. Mirrors window_partition and
// window_unpartition of segment_anything/modeling/image_encoder.py.
#pragma once

#include <cstdint>
#include <stamp/nn/convolution.hpp>
#include <vector>

namespace stamp::sam {

/// A map cut into squares of side · side positions; the last ones reach past its lower and right
/// edge, into zeros.
struct Windows {
  MapSize map;
  Index side = 0;

  [[nodiscard]] Index down() const { return (map.height + side - 1) / side; }
  [[nodiscard]] Index across() const { return (map.width + side - 1) / side; }
  [[nodiscard]] Index count() const { return down() * across(); }
  /// Positions of one window.
  [[nodiscard]] Index area() const { return side * side; }

  /// One window is the map.
  [[nodiscard]] bool whole() const { return map.height == side && map.width == side; }
  /// Windows reach past an edge of the map.
  [[nodiscard]] bool padded() const { return count() * area() != map.pixels().size; }

  /// For every position of every window, row by row, the position of the map; beyond its edge, the
  /// one behind its last.
  [[nodiscard]] std::vector<std::int32_t> partition() const {
    std::vector<std::int32_t> positions;
    for (Index window = 0; window < count(); ++window) {
      for (Index at = 0; at < area(); ++at) {
        const Index y = window / across() * side + at / side;
        const Index x = window % across() * side + at % side;
        const bool inside = y < map.height && x < map.width;
        positions.push_back(
            static_cast<std::int32_t>(inside ? y * map.width + x : map.height * map.width));
      }
    }
    return positions;
  }

  /// For every position of the map, its place in the windows: the way back.
  [[nodiscard]] std::vector<std::int32_t> merge() const {
    std::vector<std::int32_t> places;
    for (Index y = 0; y < map.height; ++y) {
      for (Index x = 0; x < map.width; ++x) {
        const Index window = y / side * across() + x / side;
        places.push_back(static_cast<std::int32_t>(window * area() + y % side * side + x % side));
      }
    }
    return places;
  }
};

/// The same numbers in the engine's memory, for gather_rows.
template <SamBackend B>
struct WindowPlaces {
  View<const std::int32_t, Patches> partition{};  ///< the map's positions, window by window
  View<const std::int32_t, Patches> merge{};
  View<const std::int32_t, Patches> none{};  ///< one row of zeros

  WindowPlaces() = default;
  WindowPlaces(B& engine, const Windows& windows)
      : partition(
            row_numbers(engine, Patches{windows.count() * windows.area()}, windows.partition())),
        merge(row_numbers(engine, Patches{windows.map.pixels().size}, windows.merge())),
        none(row_numbers(engine, Patches{1}, std::vector<std::int32_t>{-1})) {}
};

}  // namespace stamp::sam
