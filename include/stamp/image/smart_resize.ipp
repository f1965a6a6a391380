// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/smart_resize.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/smart_resize.hpp>
#include <string>

namespace stamp {

Extent smart_resize(Index width, Index height, Index factor, Index min_pixels, Index max_pixels) {
  if (width < 1 || height < 1) fail(Fault::input, "zero size: the image has no pixels");
  if (factor < 1 || min_pixels < 1 || max_pixels < 1) {
    fail(Fault::usage, "image size: factor " + std::to_string(factor) + ", min_pixels " +
                           std::to_string(min_pixels) + " and max_pixels " +
                           std::to_string(max_pixels) + " must be at least 1");
  }
  constexpr double largest_ratio = 200;
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  const auto step = static_cast<double>(factor);
  if (const double ratio = std::max(w, h) / std::min(w, h); ratio > largest_ratio) {
    fail(Fault::input, "aspect ratio " + std::to_string(ratio) + " over 200");
  }
  // Python's round(): halves go to the even neighbour, which is nearbyint's default mode.
  double to_width = std::nearbyint(w / step) * step;
  double to_height = std::nearbyint(h / step) * step;
  const char* way_out = "--max-pixels";
  if (to_width * to_height > static_cast<double>(max_pixels)) {
    const double shrink = std::sqrt(w * h / static_cast<double>(max_pixels));
    to_width = std::max(step, std::floor(w / shrink / step) * step);
    to_height = std::max(step, std::floor(h / shrink / step) * step);
  } else if (to_width * to_height < static_cast<double>(min_pixels)) {
    const double grow = std::sqrt(static_cast<double>(min_pixels) / (w * h));
    to_width = std::ceil(w * grow / step) * step;
    to_height = std::ceil(h * grow / step) * step;
    way_out = "--min-pixels";
  }
  constexpr double largest_area = 1 << 26;
  if (to_width * to_height > largest_area) {
    fail(Fault::usage, "image size: min_pixels " + std::to_string(min_pixels) + " and max_pixels " +
                           std::to_string(max_pixels) +
                           " ask for more than 2^26 pixels: try a smaller " + way_out);
  }
  return {static_cast<Index>(to_width), static_cast<Index>(to_height)};
}

}  // namespace stamp
