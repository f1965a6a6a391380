// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/picture_steps.hpp>.
#pragma once

#include <stamp/session/picture_steps.hpp>

namespace stamp {

namespace detail {

/// upsample's axis from `input` cells to `output` pixels.
inline InterpolatedAxis interpolated_axis(Upsample variant, Index input, Index output) {
  InterpolatedAxis axis{.inputs = input};
  const auto neighbours = variant == Upsample::bilinear ? bilinear_neighbours : nearest_neighbours;
  for (const auto& [first, second, share] : neighbours(input, output)) {
    axis.first.push_back(static_cast<std::int32_t>(first));
    axis.second.push_back(static_cast<std::int32_t>(second));
    axis.share.push_back(share);
  }
  return axis;
}

}  // namespace detail

MaskReadout mask_readout(Index grid_height, Index grid_width, Index width, Index height,
                         Upsample variant, float threshold) {
  return {.rows = detail::interpolated_axis(variant, grid_height, height),
          .columns = detail::interpolated_axis(variant, grid_width, width),
          .threshold = threshold};
}

PictureCut picture_cut(const Image& image, Extent size, const ImageProcessor& processor) {
  PictureCut cut{.width = image.width,
                 .height = image.height,
                 .side = processor.patch_size,
                 .frames = processor.temporal_patch_size,
                 .merge = processor.merge_size,
                 .levels = normalised_levels(processor)};
  const auto filter = [&](Index input, Index output) -> FixedFilter {
    if (input == output) return {};
    const auto axis = fixed_axis(processor.resize, input, output);
    if (!axis) return {};
    const auto& [widest, firsts, sizes, weights] = axis->filter;
    return {
        axis->bits, widest, {firsts.begin(), firsts.end()}, {sizes.begin(), sizes.end()}, weights};
  };
  cut.across = filter(image.width, size.width);
  cut.down = filter(image.height, size.height);
  return cut;
}

}  // namespace stamp
