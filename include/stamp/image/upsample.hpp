// SPDX-License-Identifier: Apache-2.0
// From the coarse grid of mask logits to a mask of the picture's size. The grid covers the RESIZED
// picture, whose aspect ratio differs a little, so each axis is stretched on its own.
#pragma once

#include <span>
#include <stamp/image/image.hpp>
#include <string_view>

namespace stamp {

/// How logits of cells become a mask of pixels.
enum class Upsample {
  bilinear,  ///< logits are interpolated, then cut at the threshold: smooth outlines
  nearest,   ///< the grid is cut at the threshold, then copied, as released (eval/utils.py)
};

/// The variant that `--upsample` names. Throws Error{usage}.
[[nodiscard]] Upsample upsample_named(std::string_view name);

/// A mask at the picture's size, and what is known of it there.
struct UpsampledMask {
  Bitmap mask = {};
  Index area = 0;    ///< foreground pixels
  double score = 0;  ///< mean of sigmoid(logit) over them; 0 where there are none
};

namespace detail {

/// Two neighbours of the grid and the share of the second, for one output position.
struct Neighbours {
  Index first, second;
  float share;
};

/// torch's bilinear, align_corners = false (area_pixel_compute_source_index), in float32.
[[nodiscard]] std::vector<Neighbours> bilinear_neighbours(Index input, Index output);

/// torch's nearest: floor(i · scale) with the scale in float32. For some sizes (110 x 122 from a
/// small grid) that is not the integer i · input / output.
[[nodiscard]] std::vector<Neighbours> nearest_neighbours(Index input, Index output);

}  // namespace detail

/// The mask of `logits` [grid_height, grid_width] at width x height pixels: foreground where the
/// logit is strictly over `threshold`. A picture that was turned by its EXIF orientation needs
/// nothing more: its grid was turned with it.
/// Throws Error{usage} for empty sizes or logits that do not fill the grid.
[[nodiscard]] UpsampledMask upsample(std::span<const float> logits, Index grid_height,
                                     Index grid_width, Index width, Index height, Upsample variant,
                                     float threshold = 0);

}  // namespace stamp
