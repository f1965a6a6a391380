// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/upsample.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/upsample.hpp>

namespace stamp {

Upsample upsample_named(std::string_view name) {
  if (name == "bilinear") return Upsample::bilinear;
  if (name == "nearest") return Upsample::nearest;
  fail(Fault::usage, "upsample \"" + std::string(name) + "\": expected bilinear or nearest");
}

namespace detail {

std::vector<Neighbours> bilinear_neighbours(Index input, Index output) {
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

std::vector<Neighbours> nearest_neighbours(Index input, Index output) {
  const float scale = static_cast<float>(input) / static_cast<float>(output);
  std::vector<Neighbours> all;
  for (Index i = 0; i < output; ++i) {
    const auto at = static_cast<Index>(std::floor(static_cast<float>(i) * scale));
    all.push_back({std::min(at, input - 1), std::min(at, input - 1), 0.0F});
  }
  return all;
}

}  // namespace detail

UpsampledMask upsample(std::span<const float> logits, Index grid_height, Index grid_width,
                       Index width, Index height, Upsample variant, float threshold) {
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
