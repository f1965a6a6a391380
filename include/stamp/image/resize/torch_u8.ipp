// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/resize/torch_u8.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/resize/torch_u8.hpp>

namespace stamp::detail {

int int16_weight_bits(double largest) {
  int bits = 0;
  while (bits < 22 &&
         // 0.5 and a cut, as torch does it: NOLINTNEXTLINE(bugprone-incorrect-roundings)
         static_cast<int>(0.5 + largest * static_cast<double>(1 << (bits + 1))) < 1 << 15) {
    ++bits;
  }
  return bits;
}

FixedAxis int16_axis(Index input, Index output) {
  const AxisFilter<double> real = bicubic_axis<double>(input, output);
  return fixed_axis(real,
                    int16_weight_bits(*std::max_element(real.weights.begin(), real.weights.end())));
}

Image resize_torch_u8(Image image, Index width, Index height) {
  if (width != image.width) {
    const auto [axis, bits] = int16_axis(image.width, width);
    image.pixels = resize_rows(image.pixels, image.height, image.width, axis, FixedSum{bits});
    image.width = width;
  }
  if (height != image.height) {
    const auto [axis, bits] = int16_axis(image.height, height);
    image.pixels = resize_columns(image.pixels, width * 3, axis, FixedSum{bits});
    image.height = height;
  }
  return image;
}

}  // namespace stamp::detail
