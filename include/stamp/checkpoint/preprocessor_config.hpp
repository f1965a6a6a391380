// SPDX-License-Identifier: Apache-2.0
// preprocessor_config.json: how an image becomes patches.
// Field names of transformers' image_processing_qwen2_vl.py; pixel budget of the released STAMP.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/model/qwen2_vl/config.hpp>
#include <string>

namespace stamp::checkpoint {

/// What the released predictor uses stands here as default: 1024 to 1280 tokens
/// of 28 x 28 pixels. A file that names a budget wins over it.
struct PreprocessorConfig {
  Index min_pixels = Index{1024} * 28 * 28;
  Index max_pixels = Index{1280} * 28 * 28;
  Index patch_size = 14;
  Index temporal_patch_size = 2;
  Index merge_size = 2;
  std::array<double, 3> image_mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> image_std{0.26862954, 0.26130258, 0.27577711};
  double rescale_factor = 1.0 / 255.0;
};

/// `vision` gives what the file leaves out. Throws Error{input} "WHERE: FIELD VALUE: RULE".
[[nodiscard]] PreprocessorConfig parse_preprocessor_config(const nlohmann::json& json,
                                                           const std::string& where,
                                                           const qwen2_vl::VisionConfig& vision);

/// The released predictor's values when there is no such file.
[[nodiscard]] PreprocessorConfig read_preprocessor_config(const std::filesystem::path& path,
                                                          const qwen2_vl::VisionConfig& vision);

}  // namespace stamp::checkpoint
