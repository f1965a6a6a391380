// SPDX-License-Identifier: Apache-2.0
// torch.nn.functional.interpolate(float32, mode="bicubic", antialias=True), then round (half to
// even) and clamp to 8 bits: what torchvision did before it resized uint8 directly. The order of
// torch's float additions depends on its vector code, so a byte at a rounding edge may differ by 1.
#pragma once

#include <stamp/image/image.hpp>
#include <stamp/image/resize/passes.hpp>

namespace stamp::detail {

[[nodiscard]] inline Image resize_torch_f32(Image image, Index width, Index height) {
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
