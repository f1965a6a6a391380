// SPDX-License-Identifier: Apache-2.0
// Image.resize(size, BICUBIC or BILINEAR) of Pillow 12.0.0, bit for bit (libImaging/Resample.c):
// weights in double, rounded to 22 fractional bits; 8-bit pixels between the passes. Pillow 13
// orders the passes differently and is up to 19 levels off.
#pragma once

#include <stamp/image/image.hpp>

namespace stamp::detail {

/// Resample.c, PRECISION_BITS: 8 bits of pixel, 2 of overshoot.
inline constexpr int pillow_bits = 32 - 8 - 2;

[[nodiscard]] Image resize_pillow(Image image, Index width, Index height);
[[nodiscard]] Image resize_pillow_bilinear(Image image, Index width, Index height);

}  // namespace stamp::detail
