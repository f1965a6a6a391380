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

/// The float that each 8-bit level of each channel becomes: [3][256].
using PixelLevels = std::array<std::array<float, 256>, 3>;
[[nodiscard]] PixelLevels normalised_levels(const ImageProcessor& processor);

/// The size at which `image` is cut: whole groups of patches, within the budget of pixels. Throws
/// as `patches` does.
[[nodiscard]] Extent resized_extent(const Image& image, const ImageProcessor& processor);

/// Resizes, normalises and cuts `image` (already turned as it should be seen).
/// Throws Error{input} over an aspect ratio of 200, Error{usage} for impossible processor fields.
[[nodiscard]] PixelPatches patches(const Image& image, const ImageProcessor& processor);

}  // namespace stamp
