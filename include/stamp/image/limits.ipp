// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/limits.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/limits.hpp>
#include <string>

namespace stamp {

void check_image_size(Index width, Index height, const ImageLimits& limits) {
  const auto shown = [&] { return std::to_string(width) + " x " + std::to_string(height); };
  if (width <= 0 || height <= 0)
    fail(Fault::input, "zero size: the image has " + shown() + " pixels");

  const Index pixels = checked_multiply(width, height, "image");
  if (pixels > limits.pixels) {
    constexpr Index million = 1'000'000;
    fail(Fault::input,
         shown() + " = " + std::to_string(pixels) + " pixels over limit " +
             (limits.pixels % million == 0 ? std::to_string(limits.pixels / million) + "M"
                                           : std::to_string(limits.pixels)));
  }
  const auto [shorter, longer] = std::minmax(width, height);
  if (longer > checked_multiply(limits.aspect_ratio, shorter, "aspect ratio")) {
    std::string ratio = std::to_string(static_cast<double>(longer) / static_cast<double>(shorter));
    fail(Fault::input, "aspect ratio " + ratio.substr(0, ratio.find('.') + 2) + " over " +
                           std::to_string(limits.aspect_ratio) + " (" + shown() + " pixels)");
  }
  if (longer > limits.side) {
    fail(Fault::input, shown() + " pixels: a side over limit " + std::to_string(limits.side));
  }
}

}  // namespace stamp
