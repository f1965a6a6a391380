// SPDX-License-Identifier: Apache-2.0
// torch.nn.functional.interpolate(float32, mode="bicubic", antialias=True), then round (half to
// even) and clamp to 8 bits: what torchvision did before it resized uint8 directly. The order of
// torch's float additions depends on its vector code, so a byte at a rounding edge may differ by 1.
#pragma once

#include <stamp/image/image.hpp>
#include <stamp/image/resize/passes.hpp>

namespace stamp::detail {

[[nodiscard]] Image resize_torch_f32(Image image, Index width, Index height);

}  // namespace stamp::detail
