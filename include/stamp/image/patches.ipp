// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/patches.hpp>.
#pragma once

#include <stamp/image/patches.hpp>

namespace stamp {

namespace detail {

/// The float that each 8-bit level of a channel becomes: [256].
[[nodiscard]] inline std::array<float, 256> normalised_levels(double mean, double std,
                                                              Normalise order) {
  std::array<float, 256> levels{};
  for (std::size_t level = 0; level < levels.size(); ++level) {
    if (order == Normalise::fused) {
      const float shift = static_cast<float>(mean) * 255.0F,
                  scale = static_cast<float>(std) * 255.0F;
      levels[level] = (static_cast<float>(level) - shift) / scale;
    } else {
      constexpr double rescale_factor = 0.00392156862745098;  // preprocessor_config.json, 1/255
      const auto rescaled = static_cast<float>(static_cast<double>(level) * rescale_factor);
      levels[level] = (rescaled - static_cast<float>(mean)) / static_cast<float>(std);
    }
  }
  return levels;
}

inline void check_processor(const ImageProcessor& processor) {
  const auto in_range = [](Index value) { return value >= 1 && value <= 1024; };
  if (!in_range(processor.patch_size) || !in_range(processor.temporal_patch_size) ||
      !in_range(processor.merge_size)) {
    fail(Fault::usage, "image processor: patch_size " + std::to_string(processor.patch_size) +
                           ", temporal_patch_size " +
                           std::to_string(processor.temporal_patch_size) + " and merge_size " +
                           std::to_string(processor.merge_size) + " must be in 1..1024");
  }
  for (std::size_t c = 0; c < 3; ++c) {
    if (!std::isfinite(processor.mean[c]) || !std::isfinite(processor.std[c]) ||
        processor.std[c] <= 0) {
      fail(Fault::usage, "image processor: image_mean must be finite and image_std positive");
    }
  }
}

}  // namespace detail

PixelLevels normalised_levels(const ImageProcessor& processor) {
  PixelLevels levels;
  for (std::size_t c = 0; c < 3; ++c) {
    levels[c] = detail::normalised_levels(processor.mean[c], processor.std[c], processor.normalise);
  }
  return levels;
}

Extent resized_extent(const Image& image, const ImageProcessor& processor) {
  detail::check_processor(processor);
  return smart_resize(image.width, image.height, processor.patch_size * processor.merge_size,
                      processor.min_pixels, processor.max_pixels);
}

PixelPatches patches(const Image& image, const ImageProcessor& processor) {
  const Extent size = resized_extent(image, processor);
  const Index patch = processor.patch_size, merge = processor.merge_size;
  const Image resized = resize(image, size.width, size.height, processor.resize);

  PixelPatches result{.grid = {.t = 1, .h = size.height / patch, .w = size.width / patch},
                      .resized_width = size.width,
                      .resized_height = size.height};
  const Index frames = processor.temporal_patch_size;
  result.values.resize(static_cast<std::size_t>(
      checked_multiply(size.width * size.height * 3, frames, "pixel_values")));

  const PixelLevels levels = normalised_levels(processor);
  float* value = result.values.data();
  const auto write_patch = [&](Index top, Index left) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (Index frame = 0; frame < frames; ++frame) {
        for (Index y = top; y < top + patch; ++y) {
          const std::uint8_t* pixel = resized.pixels.data() + (y * size.width + left) * 3 + channel;
          for (Index x = 0; x < patch; ++x) *value++ = levels[channel][pixel[3 * x]];
        }
      }
    }
  };
  for (Index group_y = 0; group_y < result.grid.h; group_y += merge) {
    for (Index group_x = 0; group_x < result.grid.w; group_x += merge) {
      for (Index y = group_y; y < group_y + merge; ++y) {
        for (Index x = group_x; x < group_x + merge; ++x) write_patch(y * patch, x * patch);
      }
    }
  }
  return result;
}

}  // namespace stamp
