// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/config.hpp>.
#pragma once

#include <stamp/checkpoint/config.hpp>
#include <stamp/checkpoint/json_fields.hpp>

namespace stamp::checkpoint {

namespace detail {

/// Rotary constants: `rope_scaling` of the 4.x files, `rope_parameters` of the 5.x ones.
inline void read_rope(const Fields& text, qwen2_vl::TextConfig& config) {
  const bool newer = text.has("rope_parameters");
  const std::string name = newer ? "rope_parameters" : "rope_scaling";
  const auto* object = text.find(name);
  if (object == nullptr) {
    text.absent("rope_scaling", "must hold mrope_section, three integers");
  }
  const Fields rope(*object, text.where() + ": " + name);
  for (const auto* key : {"type", "rope_type"}) {
    const auto kind = rope.text(key);
    if (kind && *kind != "mrope" && *kind != "default") {
      rope.wrong(key, *kind, "must be mrope or default");
    }
  }
  // Below 1 a rotary frequency would grow along the head; 0 would divide by zero.
  const NumberRange theta{1, 1e15};
  config.rope_theta = rope.number_or("rope_theta", theta, text.number_or("rope_theta", theta, 1e6));

  const auto sections = rope.integers("mrope_section", {0, largest::hidden});
  if (sections.size() != 3) rope.absent("mrope_section", "must be three integers");
  Index sum = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) sum += config.mrope_section[axis] = sections[axis];
  if (sum != config.head_dim() / 2) {
    rope.wrong("mrope_section", *rope.find("mrope_section"),
               "sum " + std::to_string(sum) +
                   " must be head_dim/2 = " + std::to_string(config.head_dim() / 2));
  }
}

[[nodiscard]] inline qwen2_vl::TextConfig read_text_config(const Fields& text) {
  qwen2_vl::TextConfig config;
  config.hidden_size = text.integer("hidden_size", {1, largest::hidden});
  config.intermediate_size = text.integer("intermediate_size", {1, largest::ffn});
  config.num_hidden_layers = text.integer("num_hidden_layers", {1, largest::layers});
  config.num_attention_heads = text.integer("num_attention_heads", {1, largest::heads});
  config.num_key_value_heads = text.integer("num_key_value_heads", {1, largest::heads});
  config.vocab_size = text.integer("vocab_size", {1, largest::vocabulary});
  config.max_position_embeddings =
      text.integer_or("max_position_embeddings", {1, largest::positions}, 32768);
  config.rms_norm_eps = text.number_or("rms_norm_eps", {1e-30, 1}, 1e-5);  // the class's default
  config.tie_word_embeddings = text.boolean_or("tie_word_embeddings", false);

  check_divides(text, "num_attention_heads", config.num_attention_heads, "hidden_size",
                config.hidden_size);
  check_divides(text, "num_key_value_heads", config.num_key_value_heads, "num_attention_heads",
                config.num_attention_heads);
  const Index head_dim = config.head_dim();
  if (head_dim % 2 != 0) {
    text.wrong("hidden_size", config.hidden_size,
               "hidden_size/num_attention_heads = " + std::to_string(head_dim) +
                   " must be even, rotary pairs are made of it");
  }
  const Index given = text.integer_or("head_dim", {1, largest::hidden}, head_dim);
  if (given != head_dim) {
    text.wrong("head_dim", given,
               "must be hidden_size/num_attention_heads = " + std::to_string(head_dim));
  }
  check_only(text, "hidden_act", "silu");
  if (text.boolean_or("use_sliding_window", false)) {
    text.wrong("use_sliding_window", true, "must be false, sliding windows are not built");
  }
  if (const auto* kinds = text.find("layer_types"); kinds != nullptr && kinds->is_array()) {
    for (const auto& kind : *kinds) {
      if (kind != "full_attention") text.wrong("layer_types", kind, "must be full_attention");
    }
  }
  read_rope(text, config);
  return config;
}

[[nodiscard]] inline qwen2_vl::VisionConfig read_vision_config(const Fields& vision,
                                                               const qwen2_vl::TextConfig& text) {
  qwen2_vl::VisionConfig config;
  config.depth = vision.integer_or("depth", {1, largest::layers}, 32);
  config.embed_dim = vision.integer_or("embed_dim", {1, largest::hidden}, 1280);
  config.num_heads = vision.integer_or("num_heads", {1, largest::heads}, 16);
  config.hidden_size = vision.integer_or("hidden_size", {1, largest::hidden}, 3584);
  config.patch_size = vision.integer_or("patch_size", {1, largest::patch}, 14);
  config.temporal_patch_size = vision.integer_or("temporal_patch_size", {1, largest::merge}, 2);
  config.spatial_merge_size = vision.integer_or("spatial_merge_size", {1, largest::merge}, 2);
  // `in_chans` is what the published files say and transformers ignores; images are RGB.
  for (const auto* name : {"in_channels", "in_chans"}) {
    config.in_channels = vision.integer_or(name, {3, 3}, 3);
  }
  check_divides(vision, "num_heads", config.num_heads, "embed_dim", config.embed_dim);
  if (config.head_dim() % 4 != 0) {
    vision.wrong("embed_dim", config.embed_dim,
                 "embed_dim/num_heads = " + std::to_string(config.head_dim()) +
                     " must be a multiple of 4, rotary pairs of rows and columns are made of it");
  }
  if (config.hidden_size != text.hidden_size) {
    vision.wrong("hidden_size", config.hidden_size,
                 "must be the language model's hidden_size " + std::to_string(text.hidden_size));
  }
  const double ratio = vision.number_or("mlp_ratio", {1e-3, 64}, 4);
  config.mlp_hidden = static_cast<Index>(static_cast<double>(config.embed_dim) * ratio);
  if (config.mlp_hidden < 1) vision.wrong("mlp_ratio", ratio, "leaves no hidden unit");
  check_only(vision, "hidden_act", "quick_gelu");
  return config;
}

[[nodiscard]] inline std::string read_stored_type(const Fields& text) {
  // Newer files say `dtype`; the language model's own entry counts before the whole model's.
  for (const auto* name : {"dtype", "torch_dtype"}) {
    if (auto type = text.text(name)) {
      for (const auto* known : {"float32", "float16", "bfloat16", "float64"}) {
        if (*type == known) return *type;
      }
      text.wrong(name, *type, "must be float32, float16, bfloat16 or float64");
    }
  }
  return "float32";
}

}  // namespace detail

qwen2_vl::Config parse_config(const nlohmann::json& json, const std::string& where) {
  const Fields root(json, where);
  const auto type = root.text("model_type");
  const auto* architectures = root.find("architectures");
  const bool named =
      architectures != nullptr && architectures->is_array() && !architectures->empty() &&
      architectures->front().is_string() &&
      architectures->front().get_ref<const std::string&>().find("Qwen2VL") != std::string::npos;
  if (type && *type != "qwen2_vl" && !named) root.wrong("model_type", *type, "must be qwen2_vl");
  if (!type && !named) root.absent("model_type", "must be qwen2_vl");

  qwen2_vl::Config config;
  const auto* nested = root.find("text_config");
  const Fields text = nested == nullptr ? root : Fields(*nested, where + ": text_config", &root);
  config.text = detail::read_text_config(text);
  config.stored_type = detail::read_stored_type(text);

  const auto* vision = root.find("vision_config");
  if (vision == nullptr) root.absent("vision_config", "must describe the vision tower");
  config.vision =
      detail::read_vision_config(Fields(*vision, where + ": vision_config"), config.text);

  const auto id = [&](const char* name) {
    const Index token = root.integer_or(name, {0, largest::vocabulary}, -1);
    if (token >= config.text.vocab_size) {
      root.wrong(name, token, "must be below vocab_size " + std::to_string(config.text.vocab_size));
    }
    return token;
  };
  config.tokens.image_pad = id("image_token_id");
  config.tokens.vision_start = id("vision_start_token_id");
  config.tokens.vision_end = id("vision_end_token_id");
  return config;
}

qwen2_vl::Config read_config(const std::filesystem::path& path) {
  return parse_config(read_json(path), shown(path));
}

}  // namespace stamp::checkpoint
