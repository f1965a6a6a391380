// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/resize.hpp>.
#pragma once

#include <stamp/image/resize.hpp>
#include <stamp/image/resize/pillow.hpp>
#include <stamp/image/resize/torch_f32.hpp>
#include <stamp/image/resize/torch_u8.hpp>

namespace stamp {

Resize resize_named(std::string_view name) {
  if (name == "pillow") return Resize::pillow;
  if (name == "torch-u8") return Resize::torch_u8;
  if (name == "torch-f32") return Resize::torch_f32;
  fail(Fault::usage,
       "resize \"" + std::string(name) + "\": expected pillow, torch-u8 or torch-f32");
}

std::optional<detail::FixedAxis> fixed_axis(Resize variant, Index input, Index output) {
  if (input < 1 || output < 1) {
    fail(Fault::usage, "resize: from " + std::to_string(input) + " to " + std::to_string(output) +
                           ", every side must be at least 1");
  }
  if (variant == Resize::torch_f32) return std::nullopt;
  if (variant == Resize::torch_u8) return detail::int16_axis(input, output);
  return detail::fixed_axis(detail::bicubic_axis<double>(input, output), detail::pillow_bits);
}

Image resize(Image image, Index width, Index height, Resize variant) {
  if (width < 1 || height < 1 || image.width < 1 || image.height < 1) {
    fail(Fault::usage, "resize: from " + std::to_string(image.width) + " x " +
                           std::to_string(image.height) + " to " + std::to_string(width) + " x " +
                           std::to_string(height) + ", every side must be at least 1");
  }
  switch (variant) {
    case Resize::pillow:
      return detail::resize_pillow(std::move(image), width, height);
    case Resize::torch_u8:
      return detail::resize_torch_u8(std::move(image), width, height);
    case Resize::torch_f32:
      return detail::resize_torch_f32(std::move(image), width, height);
  }
  fail(Fault::usage, "resize: unknown variant");
}

}  // namespace stamp
