// SPDX-License-Identifier: Apache-2.0
// torch.nn.functional.interpolate(uint8, mode="bicubic", antialias=True) on the CPU (torch 2.13,
// UpSampleKernel.cpp, _compute_index_ranges_int16_weights): what torchvision and with it Hugging
// Face's fast image processors call. Weights are 16-bit; each axis takes as many fractional bits as
// its largest weight leaves room for; 8-bit pixels between the passes.
#pragma once

#include <stamp/image/image.hpp>
#include <stamp/image/resize/passes.hpp>

namespace stamp::detail {

/// The most fractional bits with which `largest` stays below 2^15, at most 22.
[[nodiscard]] inline int int16_weight_bits(double largest) {
  int bits = 0;
  while (bits < 22 &&
         // 0.5 and a cut, as torch does it: NOLINTNEXTLINE(bugprone-incorrect-roundings)
         static_cast<int>(0.5 + largest * static_cast<double>(1 << (bits + 1))) < 1 << 15) {
    ++bits;
  }
  return bits;
}

[[nodiscard]] inline FixedAxis int16_axis(Index input, Index output) {
  const AxisFilter<double> real = bicubic_axis<double>(input, output);
  return fixed_axis(real,
                    int16_weight_bits(*std::max_element(real.weights.begin(), real.weights.end())));
}

[[nodiscard]] inline Image resize_torch_u8(Image image, Index width, Index height) {
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
