// SPDX-License-Identifier: Apache-2.0
// From the coarse grid of mask logits to a mask of the picture's size. The grid covers the RESIZED
// picture, whose aspect ratio differs a little, so each axis is stretched on its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <stamp/image/image.hpp>
#include <string_view>

namespace stamp {

enum class Upsample {
  bilinear,  ///< logits are interpolated, then cut at the threshold: smooth outlines
  nearest,   ///< the grid is cut at the threshold, then copied, as released (eval/utils.py)
};

/// The variant that `--upsample` names. Throws Error{usage}.
[[nodiscard]] inline Upsample upsample_named(std::string_view name) {
  if (name == "bilinear") return Upsample::bilinear;
  if (name == "nearest") return Upsample::nearest;
  fail(Fault::usage, "upsample \"" + std::string(name) + "\": expected bilinear or nearest");
}

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
[[nodiscard]] inline std::vector<Neighbours> bilinear_neighbours(Index input, Index output) {
  const float scale = static_cast<float>(input) / static_cast<float>(output);
  std::vector<Neighbours> all;
  for (Index i = 0; i < output; ++i) {
    const float at = std::max(scale * (static_cast<float>(i) + 0.5F) - 0.5F, 0.0F);
    const Index first = std::min(static_cast<Index>(at), input - 1);
    const float share = std::clamp(at - static_cast<float>(first), 0.0F, 1.0F);
    all.push_back({first, std::min(first + 1, input - 1), share});
  }
  return all;
}

/// torch's nearest: floor(i · scale) with the scale in float32. For some sizes (110 x 122 from a
/// small grid) that is not the integer i · input / output.
[[nodiscard]] inline std::vector<Neighbours> nearest_neighbours(Index input, Index output) {
  const float scale = static_cast<float>(input) / static_cast<float>(output);
  std::vector<Neighbours> all;
  for (Index i = 0; i < output; ++i) {
    const auto at = static_cast<Index>(std::floor(static_cast<float>(i) * scale));
    all.push_back({std::min(at, input - 1), std::min(at, input - 1), 0.0F});
  }
  return all;
}

}  // namespace detail

/// The mask of `logits` [grid_height, grid_width] at width x height pixels: foreground where the
/// logit is strictly over `threshold`. A picture that was turned by its EXIF orientation needs
/// nothing more: its grid was turned with it.
/// Throws Error{usage} for empty sizes or logits that do not fill the grid.
[[nodiscard]] inline UpsampledMask upsample(std::span<const float> logits, Index grid_height,
                                            Index grid_width, Index width, Index height,
                                            Upsample variant, float threshold = 0) {
  if (grid_height < 1 || grid_width < 1 || width < 1 || height < 1 ||
      std::ssize(logits) != checked_multiply(grid_height, grid_width, "mask grid")) {
    fail(Fault::usage, "upsample: " + std::to_string(logits.size()) + " logits on a grid of " +
                           std::to_string(grid_height) + " x " + std::to_string(grid_width) +
                           " to " + std::to_string(width) + " x " + std::to_string(height));
  }
  const auto neighbours =
      variant == Upsample::bilinear ? detail::bilinear_neighbours : detail::nearest_neighbours;
  const auto rows = neighbours(grid_height, height), columns = neighbours(grid_width, width);

  UpsampledMask result{.mask = {.width = width, .height = height}};
  result.mask.cells.resize(static_cast<std::size_t>(checked_multiply(width, height, "mask")));
  std::uint8_t* cell = result.mask.cells.data();
  double probability = 0;
  for (const auto [top, bottom, down] : rows) {
    const float* above = logits.data() + top * grid_width;
    const float* below = logits.data() + bottom * grid_width;
    for (const auto [left, right, across] : columns) {
      const float upper = above[left] * (1 - across) + above[right] * across;
      const float lower = below[left] * (1 - across) + below[right] * across;
      const float logit = upper * (1 - down) + lower * down;
      const bool foreground = logit > threshold;
      *cell++ = foreground ? 1 : 0;
      if (foreground) {
        ++result.area;
        probability += 1 / (1 + std::exp(-static_cast<double>(logit)));
      }
    }
  }
  if (result.area > 0) result.score = probability / static_cast<double>(result.area);
  return result;
}

}  // namespace stamp
