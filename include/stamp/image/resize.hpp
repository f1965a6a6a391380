// SPDX-License-Identifier: Apache-2.0
// "Bicubic" by name. Three functions carry that name in the Python world and differ in up to 14 %
// of the bytes, so a caller says which one is meant.
#pragma once

#include <optional>
#include <stamp/image/resize/pillow.hpp>
#include <stamp/image/resize/torch_f32.hpp>
#include <stamp/image/resize/torch_u8.hpp>
#include <string_view>

namespace stamp {

enum class Resize {
  pillow,     ///< Pillow 12.0.0, bit for bit: Hugging Face's slow processors
  torch_u8,   ///< torch on uint8, bit for bit: Hugging Face's fast processors
  torch_f32,  ///< torch on float32, rounded: older torchvision
};

/// The variant that `--resize` names: "pillow", "torch-u8" or "torch-f32". Throws Error{usage}.
[[nodiscard]] inline Resize resize_named(std::string_view name) {
  if (name == "pillow") return Resize::pillow;
  if (name == "torch-u8") return Resize::torch_u8;
  if (name == "torch-f32") return Resize::torch_f32;
  fail(Fault::usage,
       "resize \"" + std::string(name) + "\": expected pillow, torch-u8 or torch-f32");
}

/// The integer filter of an axis from `input` to `output` pixels, for those who resize elsewhere:
/// bytes between the passes, rows first, an axis that keeps its size left out. None where a variant
/// sums in float. Throws Error{usage} where either size is below 1.
[[nodiscard]] inline std::optional<detail::FixedAxis> fixed_axis(Resize variant, Index input,
                                                                 Index output) {
  if (input < 1 || output < 1) {
    fail(Fault::usage, "resize: from " + std::to_string(input) + " to " + std::to_string(output) +
                           ", every side must be at least 1");
  }
  if (variant == Resize::torch_f32) return std::nullopt;
  if (variant == Resize::torch_u8) return detail::int16_axis(input, output);
  return detail::fixed_axis(detail::bicubic_axis<double>(input, output), detail::pillow_bits);
}

/// `image` at width x height pixels, with antialiasing where it shrinks.
/// Throws Error{usage} where either size is below 1.
[[nodiscard]] inline Image resize(Image image, Index width, Index height, Resize variant) {
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
