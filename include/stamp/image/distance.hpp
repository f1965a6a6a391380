// SPDX-License-Identifier: Apache-2.0
// Exact Euclidean distances inside and outside a mask, in linear time (Felzenszwalb and
// Huttenlocher, "Distance Transforms of Sampled Functions", 2012).
#pragma once

#include <stamp/image/image.hpp>
#include <vector>

namespace stamp {

/// [height, width] numbers that go with a picture's pixels.
struct Field {
  Index width = 0;
  Index height = 0;
  std::vector<float> values = {};

  [[nodiscard]] float at(Index x, Index y) const {
    return values[static_cast<std::size_t>(y * width + x)];
  }
};

/// Distance in pixels to the outline of the mask: positive inside, negative outside, ±0.5 at the
/// pixels beside it. A mask without an outline has ±1e6 everywhere.
[[nodiscard]] Field signed_distance(const Bitmap& mask);

}  // namespace stamp
