// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/resize/pillow.hpp>.
#pragma once

#include <stamp/image/resize/passes.hpp>
#include <stamp/image/resize/pillow.hpp>

namespace stamp::detail {

/// `axis_of(input, output)` is bicubic_axis<double> or bilinear_axis<double>.
template <class AxisOf>
[[nodiscard]] Image resize_pillow(Image image, Index width, Index height, const AxisOf& axis_of) {
  constexpr int bits = pillow_bits;
  if (width != image.width) {
    const FixedAxis axis = fixed_axis(axis_of(image.width, width), bits);
    image.pixels =
        resize_rows(image.pixels, image.height, image.width, axis.filter, FixedSum{bits});
    image.width = width;
  }
  if (height != image.height) {
    const FixedAxis axis = fixed_axis(axis_of(image.height, height), bits);
    image.pixels = resize_columns(image.pixels, width * 3, axis.filter, FixedSum{bits});
    image.height = height;
  }
  return image;
}

Image resize_pillow(Image image, Index width, Index height) {
  return resize_pillow(std::move(image), width, height, bicubic_axis<double>);
}

Image resize_pillow_bilinear(Image image, Index width, Index height) {
  return resize_pillow(std::move(image), width, height, bilinear_axis<double>);
}

}  // namespace stamp::detail
