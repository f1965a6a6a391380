// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/sam_config.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/config.hpp>
#include <stamp/checkpoint/json_fields.hpp>
#include <stamp/checkpoint/sam_config.hpp>

namespace stamp::checkpoint {

namespace detail {

inline constexpr Index largest_sam_side = 4096;  // pixels; four times the published side

[[nodiscard]] inline sam::VisionConfig read_sam_vision(const Fields& vision) {
  sam::VisionConfig config;
  config.hidden_size = vision.integer_or("hidden_size", {1, largest::hidden}, config.hidden_size);
  config.output_channels =
      vision.integer_or("output_channels", {1, largest::hidden}, config.output_channels);
  config.num_hidden_layers =
      vision.integer_or("num_hidden_layers", {1, largest::layers}, config.num_hidden_layers);
  config.num_attention_heads =
      vision.integer_or("num_attention_heads", {1, largest::heads}, config.num_attention_heads);
  config.image_size = vision.integer_or("image_size", {1, largest_sam_side}, config.image_size);
  config.patch_size = vision.integer_or("patch_size", {1, largest::patch}, config.patch_size);
  config.window_size = vision.integer_or("window_size", {0, largest_sam_side}, config.window_size);
  config.layer_norm_eps = vision.number_or("layer_norm_eps", {1e-30, 1}, config.layer_norm_eps);
  if (vision.has("global_attn_indexes")) {
    config.global_attn_indexes = vision.integers("global_attn_indexes", {0, largest::layers});
  }
  check_divides(vision, "num_attention_heads", config.num_attention_heads, "hidden_size",
                config.hidden_size);
  check_divides(vision, "patch_size", config.patch_size, "image_size", config.image_size);
  (void)vision.integer_or("num_channels", {3, 3}, 3);
  const double ratio = vision.number_or("mlp_ratio", {1e-3, 64}, 4);
  const auto inner = static_cast<Index>(static_cast<double>(config.hidden_size) * ratio);
  config.mlp_dim = vision.integer_or("mlp_dim", {1, largest::ffn}, std::max<Index>(1, inner));
  check_only(vision, "hidden_act", "gelu");
  for (const auto* always : {"qkv_bias", "use_abs_pos", "use_rel_pos"}) {
    if (!vision.boolean_or(always, true)) vision.wrong(always, false, "must be true");
  }
  return config;
}

[[nodiscard]] inline sam::MaskDecoderConfig read_sam_decoder(const Fields& decoder) {
  sam::MaskDecoderConfig config;
  const auto read = [&](const char* name, Index& field, Index most) {
    field = decoder.integer_or(name, {1, most}, field);
  };
  read("hidden_size", config.hidden_size, largest::hidden);
  read("mlp_dim", config.mlp_dim, largest::ffn);
  read("num_hidden_layers", config.num_hidden_layers, largest::layers);
  read("num_attention_heads", config.num_attention_heads, largest::heads);
  read("attention_downsample_rate", config.attention_downsample_rate, largest::heads);
  read("num_multimask_outputs", config.num_multimask_outputs, largest::heads);
  read("iou_head_depth", config.iou_head_depth, largest::layers);
  read("iou_head_hidden_dim", config.iou_head_hidden_dim, largest::hidden);
  constexpr Index upscaled = 8;  // the decoder's last maps have an eighth of the channels
  check_divides(decoder, "8, the last maps' share,", upscaled, "hidden_size", config.hidden_size);
  check_divides(decoder, "num_attention_heads times attention_downsample_rate",
                config.num_attention_heads * config.attention_downsample_rate, "hidden_size",
                config.hidden_size);
  check_only(decoder, "hidden_act", "relu");
  return config;
}

}  // namespace detail

sam::Config parse_sam_config(const nlohmann::json& json, const std::string& where) {
  const Fields root(json, where);
  const auto type = root.text("model_type");
  if (type && *type != "sam") root.wrong("model_type", *type, "must be sam");
  const nlohmann::json nothing = nlohmann::json::object();
  const auto part = [&](const char* name) {
    const auto* object = root.find(name);
    return Fields(object == nullptr ? nothing : *object, where + ": " + name);
  };
  sam::Config config;
  config.vision = detail::read_sam_vision(part("vision_config"));
  config.decoder = detail::read_sam_decoder(part("mask_decoder_config"));
  const Fields prompt = part("prompt_encoder_config");
  config.mask_input_channels =
      prompt.integer_or("mask_input_channels", {4, largest::hidden}, config.mask_input_channels);
  check_divides(prompt, "4, its first map's share,", 4, "mask_input_channels",
                config.mask_input_channels);
  const Index width = config.decoder.hidden_size;
  if (config.vision.output_channels != width) {
    root.wrong("output_channels", config.vision.output_channels,
               "must be the decoder's hidden_size " + std::to_string(width));
  }
  return config;
}

sam::Config read_sam_config(const std::filesystem::path& path) {
  return parse_sam_config(read_json(path), shown(path));
}

}  // namespace stamp::checkpoint
