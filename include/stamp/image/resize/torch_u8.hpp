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
[[nodiscard]] int int16_weight_bits(double largest);

[[nodiscard]] FixedAxis int16_axis(Index input, Index output);

[[nodiscard]] Image resize_torch_u8(Image image, Index width, Index height);

}  // namespace stamp::detail
