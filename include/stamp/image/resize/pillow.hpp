// SPDX-License-Identifier: Apache-2.0
// Image.resize(size, BICUBIC or BILINEAR) of Pillow 12.0.0, bit for bit (libImaging/Resample.c):
// weights in double, rounded to 22 fractional bits; 8-bit pixels between the passes. Pillow 13
// orders the passes differently and is up to 19 levels off.
#pragma once

#include <stamp/image/image.hpp>
#include <stamp/image/resize/passes.hpp>

namespace stamp::detail {

/// Resample.c, PRECISION_BITS: 8 bits of pixel, 2 of overshoot.
inline constexpr int pillow_bits = 32 - 8 - 2;

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

[[nodiscard]] inline Image resize_pillow(Image image, Index width, Index height) {
  return resize_pillow(std::move(image), width, height, bicubic_axis<double>);
}
[[nodiscard]] inline Image resize_pillow_bilinear(Image image, Index width, Index height) {
  return resize_pillow(std::move(image), width, height, bilinear_axis<double>);
}

}  // namespace stamp::detail
