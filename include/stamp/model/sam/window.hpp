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

  /// For every position of every window, row by row, the position of the map; -1 beyond its edge.
  [[nodiscard]] std::vector<std::int32_t> partition() const {
    std::vector<std::int32_t> positions;
    for (Index window = 0; window < count(); ++window) {
      for (Index at = 0; at < area(); ++at) {
        const Index y = window / across() * side + at / side;
        const Index x = window % across() * side + at % side;
        const bool inside = y < map.height && x < map.width;
        positions.push_back(inside ? static_cast<std::int32_t>(y * map.width + x) : -1);
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

}  // namespace stamp::sam
