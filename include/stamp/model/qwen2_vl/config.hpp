// SPDX-License-Identifier: Apache-2.0
// Sizes and constants of a Qwen2-VL model, field by field as config.json names them.
// Mirrors transformers' configuration_qwen2_vl.py; read from files by checkpoint/config.hpp.
#pragma once

#include <array>
#include <stamp/tensor/check.hpp>
#include <string>

namespace stamp::qwen2_vl {

/// The vision tower: patches of patch_size² pixels × temporal_patch_size frames.
struct VisionConfig {
  Index depth = 32;
  Index embed_dim = 1280;
  Index num_heads = 16;
  Index hidden_size = 1536;  ///< width that the merger hands to the language model
  Index mlp_hidden = 5120;   ///< embed_dim · mlp_ratio
  Index in_channels = 3;
  Index patch_size = 14;
  Index temporal_patch_size = 2;
  Index spatial_merge_size = 2;

  [[nodiscard]] Index head_dim() const { return embed_dim / num_heads; }
  /// Numbers in one patch vector: channels × frames × rows × columns.
  [[nodiscard]] Index patch_length() const {
    return in_channels * temporal_patch_size * patch_size * patch_size;
  }
  /// Patches that become one token of the language model.
  [[nodiscard]] Index merged_patches() const { return spatial_merge_size * spatial_merge_size; }
};

/// The language model (Qwen2 with 3-D rotary positions).
struct TextConfig {
  Index hidden_size = 1536;
  Index intermediate_size = 8960;
  Index num_hidden_layers = 28;
  Index num_attention_heads = 12;
  Index num_key_value_heads = 2;
  Index vocab_size = 151936;  ///< rows of the embedding as stored; the file's tensor decides
  Index max_position_embeddings = 32768;
  double rms_norm_eps = 1e-6;
  double rope_theta = 1e6;
  std::array<Index, 3> mrope_section{16, 24, 24};  ///< rotary pairs that follow t, h, w
  bool tie_word_embeddings = true;

  [[nodiscard]] Index head_dim() const { return hidden_size / num_attention_heads; }
};

/// Ids that the model itself gives a meaning to; -1 where a checkpoint has none.
struct TokenIds {
  Index im_start = -1;
  Index im_end = -1;
  Index vision_start = -1;
  Index vision_end = -1;
  Index image_pad = -1;
  Index seg = -1;
  Index mask = -1;
};

/// Patches of one image: frames × rows × columns (image_grid_thw).
struct PatchGrid {
  Index t = 1;
  Index h = 0;
  Index w = 0;
  [[nodiscard]] Index patches() const { return t * h * w; }
  bool operator==(const PatchGrid&) const = default;
};

/// A whole Qwen2-VL model with STAMP's added tokens.
struct Config {
  VisionConfig vision;
  TextConfig text;
  TokenIds tokens;  ///< image ids from config.json, the others from the tokenizer
  std::string stored_type = "float32";
};

}  // namespace stamp::qwen2_vl
