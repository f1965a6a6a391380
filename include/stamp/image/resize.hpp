// SPDX-License-Identifier: Apache-2.0
// "Bicubic" by name. Three functions carry that name in the Python world and differ in up to 14 %
// of the bytes, so a caller says which one is meant.
#pragma once

#include <optional>
#include <stamp/image/image.hpp>
#include <stamp/image/resize/filter.hpp>
#include <string_view>

namespace stamp {

/// Whose "bicubic" is meant.
enum class Resize {
  pillow,     ///< Pillow 12.0.0, bit for bit: Hugging Face's slow processors
  torch_u8,   ///< torch on uint8, bit for bit: Hugging Face's fast processors
  torch_f32,  ///< torch on float32, rounded: older torchvision
};

/// The variant that `--resize` names: "pillow", "torch-u8" or "torch-f32". Throws Error{usage}.
[[nodiscard]] Resize resize_named(std::string_view name);

/// The integer filter of an axis from `input` to `output` pixels, for those who resize elsewhere:
/// bytes between the passes, rows first, an axis that keeps its size left out. None where a variant
/// sums in float. Throws Error{usage} where either size is below 1.
[[nodiscard]] std::optional<detail::FixedAxis> fixed_axis(Resize variant, Index input,
                                                          Index output);

/// `image` at width x height pixels, with antialiasing where it shrinks.
/// Throws Error{usage} where either size is below 1.
[[nodiscard]] Image resize(Image image, Index width, Index height, Resize variant);

}  // namespace stamp
