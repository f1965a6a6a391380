// SPDX-License-Identifier: Apache-2.0
// From a picture to the patches that the vision tower reads: Qwen2-VL's image processor
// (transformers 4.57.1, image_processing_qwen2_vl.py and its _fast sibling).
#pragma once

#include <array>
#include <stamp/image/image.hpp>
#include <stamp/image/resize.hpp>
#include <stamp/image/smart_resize.hpp>
#include <stamp/model/qwen2_vl/config.hpp>

namespace stamp {

/// The order of the float32 operations of normalising; results differ by about 1e-7.
enum class Normalise {
  fused,          ///< (v - 255·mean) / (255·std), the fast processor's and the default
  rescale_first,  ///< (v·(1/255) - mean) / std, the slow processor's
};

/// The fields of preprocessor_config.json; defaults are those of the released Qwen2-VL, the budget
/// is STAMP's (run_seg_ref.py).
struct ImageProcessor {
  Index min_pixels = Index{1024} * 784;
  Index max_pixels = Index{1280} * 784;
  Index patch_size = 14;          ///< pixels along a side of a patch
  Index temporal_patch_size = 2;  ///< frames of a patch; a still picture is repeated
  Index merge_size = 2;           ///< patches along a side of what becomes one token
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};
  Resize resize = Resize::pillow;
  Normalise normalise = Normalise::fused;
};

/// `values` is `pixel_values`, [t·h·w patches, 3 · temporal · patch · patch]. Patches run row by
/// row over groups of merge x merge and row by row inside a group, so that every merge² consecutive
/// patches become one token; a patch is ordered channel, frame, row, column.
struct PixelPatches {
  qwen2_vl::PatchGrid grid = {};
  Index resized_width = 0;
  Index resized_height = 0;
  std::vector<float> values = {};
};

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

/// The float that each 8-bit level of each channel becomes: [3][256].
using PixelLevels = std::array<std::array<float, 256>, 3>;
[[nodiscard]] inline PixelLevels normalised_levels(const ImageProcessor& processor) {
  PixelLevels levels;
  for (std::size_t c = 0; c < 3; ++c) {
    levels[c] = detail::normalised_levels(processor.mean[c], processor.std[c], processor.normalise);
  }
  return levels;
}

/// The size at which `image` is cut: whole groups of patches, within the budget of pixels. Throws
/// as `patches` does.
[[nodiscard]] inline Extent resized_extent(const Image& image, const ImageProcessor& processor) {
  detail::check_processor(processor);
  return smart_resize(image.width, image.height, processor.patch_size * processor.merge_size,
                      processor.min_pixels, processor.max_pixels);
}

/// Resizes, normalises and cuts `image` (already turned as it should be seen).
/// Throws Error{input} over an aspect ratio of 200, Error{usage} for impossible processor fields.
[[nodiscard]] inline PixelPatches patches(const Image& image, const ImageProcessor& processor) {
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
