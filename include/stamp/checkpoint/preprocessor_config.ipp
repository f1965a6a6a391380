// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/preprocessor_config.hpp>.
#pragma once

#include <stamp/checkpoint/json_fields.hpp>
#include <stamp/checkpoint/preprocessor_config.hpp>

namespace stamp::checkpoint {

namespace detail {

[[nodiscard]] inline std::array<double, 3> read_channels(const Fields& fields, const char* name,
                                                         NumberRange range,
                                                         std::array<double, 3> otherwise) {
  const auto* list = fields.find(name);
  if (list == nullptr) return otherwise;
  if (!list->is_array() || list->size() != 3) fields.wrong(name, *list, "must be three numbers");
  std::array<double, 3> values{};
  for (std::size_t at = 0; at < 3; ++at) {
    values[at] = fields.as_number(name, (*list)[at], range);
  }
  return values;
}

}  // namespace detail

PreprocessorConfig parse_preprocessor_config(const nlohmann::json& json, const std::string& where,
                                             const qwen2_vl::VisionConfig& vision) {
  const Fields fields(json, where);
  constexpr IntegerRange pixels{1, Index{1} << 32};
  PreprocessorConfig config;
  if (const auto* size = fields.find("size"); size != nullptr && size->is_object()) {
    const Fields edges(*size, where + ": size");
    config.min_pixels = edges.integer_or("shortest_edge", pixels, config.min_pixels);
    config.max_pixels = edges.integer_or("longest_edge", pixels, config.max_pixels);
  }
  config.min_pixels = fields.integer_or("min_pixels", pixels, config.min_pixels);
  config.max_pixels = fields.integer_or("max_pixels", pixels, config.max_pixels);
  if (config.max_pixels < config.min_pixels) {
    fields.wrong("max_pixels", config.max_pixels,
                 "must be at least min_pixels " + std::to_string(config.min_pixels));
  }
  const auto as_in_model = [&](const char* name, Index of_model) {
    const Index given = fields.integer_or(name, {1, 256}, of_model);
    if (given != of_model) {
      fields.wrong(name, given,
                   "must be " + std::to_string(of_model) + " as in config.json's vision_config");
    }
    return given;
  };
  config.patch_size = as_in_model("patch_size", vision.patch_size);
  config.temporal_patch_size = as_in_model("temporal_patch_size", vision.temporal_patch_size);
  config.merge_size = as_in_model("merge_size", vision.spatial_merge_size);
  config.image_mean = detail::read_channels(fields, "image_mean", {-1e6, 1e6}, config.image_mean);
  config.image_std = detail::read_channels(fields, "image_std", {1e-6, 1e6}, config.image_std);
  config.rescale_factor = fields.number_or("rescale_factor", {1e-9, 1e3}, config.rescale_factor);
  for (const auto* step : {"do_resize", "do_rescale", "do_normalize", "do_convert_rgb"}) {
    if (!fields.boolean_or(step, true)) fields.wrong(step, false, "must be true");
  }
  constexpr Index bicubic = 3;  // PIL.Image.Resampling.BICUBIC
  (void)fields.integer_or("resample", {bicubic, bicubic}, bicubic);
  return config;
}

PreprocessorConfig read_preprocessor_config(const std::filesystem::path& path,
                                            const qwen2_vl::VisionConfig& vision) {
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    return parse_preprocessor_config(nlohmann::json::object(), shown(path), vision);
  }
  return parse_preprocessor_config(read_json(path), shown(path), vision);
}

}  // namespace stamp::checkpoint
