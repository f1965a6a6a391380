// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/resize/torch_f32.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/resize/torch_f32.hpp>

namespace stamp::detail {

Image resize_torch_f32(Image image, Index width, Index height) {
  std::vector<float> samples(image.pixels.begin(), image.pixels.end());
  if (width != image.width) {
    const AxisFilter<float> axis = bicubic_axis<float>(image.width, width);
    samples = resize_rows(samples, image.height, image.width, axis, FloatSum{});
    image.width = width;
  }
  if (height != image.height) {
    const AxisFilter<float> axis = bicubic_axis<float>(image.height, height);
    samples = resize_columns(samples, width * 3, axis, FloatSum{});
    image.height = height;
  }
  image.pixels.resize(samples.size());
  std::transform(samples.begin(), samples.end(), image.pixels.begin(), [](float sample) {
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(sample), 0.0F, 255.0F));
  });
  return image;
}

}  // namespace stamp::detail
