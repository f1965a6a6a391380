// SPDX-License-Identifier: Apache-2.0
// What stands between pictures and activations: done by the engine where it offers that
// (ops/picture.hpp), else on the host. The numbers are the same, bit for bit.
#pragma once

#include <stamp/image/upsample.hpp>
#include <stamp/ops/backend.hpp>
#include <stamp/ops/picture.hpp>

namespace stamp {

/// upsample's axis from `input` cells to `output` pixels.
[[nodiscard]] inline InterpolatedAxis interpolated_axis(Upsample variant, Index input,
                                                        Index output) {
  InterpolatedAxis axis{.inputs = input};
  const auto neighbours =
      variant == Upsample::bilinear ? detail::bilinear_neighbours : detail::nearest_neighbours;
  for (const auto& [first, second, share] : neighbours(input, output)) {
    axis.first.push_back(static_cast<std::int32_t>(first));
    axis.second.push_back(static_cast<std::int32_t>(second));
    axis.share.push_back(share);
  }
  return axis;
}

/// upsample (image/upsample.hpp); of an engine that does it in its own memory mask and area are the
/// same, and the score but for the order of its sum.
template <Backend B>
[[nodiscard]] UpsampledMask upsample(B& engine, std::span<const float> logits, Index grid_height,
                                     Index grid_width, Index width, Index height, Upsample variant,
                                     float threshold = 0) {
  if constexpr (requirement::ThresholdsPictures<B>) {
    UpsampledMask result{.mask = {.width = width, .height = height}};
    result.mask.cells.resize(static_cast<std::size_t>(checked_multiply(width, height, "mask")));
    const Foreground found =
        threshold_picture(engine, std::span(result.mask.cells), logits,
                          interpolated_axis(variant, grid_height, height),
                          interpolated_axis(variant, grid_width, width), threshold);
    result.area = found.area;
    if (found.area > 0) result.score = found.probability / static_cast<double>(found.area);
    return result;
  } else {
    return upsample(logits, grid_height, grid_width, width, height, variant, threshold);
  }
}

}  // namespace stamp
