// SPDX-License-Identifier: Apache-2.0
// Sizes of a SAM model, field by field as transformers' SamConfig names them, and the three
// published ones. Mirrors segment_anything/build_sam.py.
#pragma once

#include <algorithm>
#include <optional>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp::sam {

/// The image encoder, a ViT with attention inside windows in all but a few blocks.
struct VisionConfig {
  Index hidden_size = 768;
  Index output_channels = 256;
  Index num_hidden_layers = 12;
  Index num_attention_heads = 12;
  Index mlp_dim = 3072;
  Index image_size = 1024;  ///< side of the padded square, pixels
  Index patch_size = 16;
  Index window_size = 14;                                  ///< positions along a window's side
  std::vector<Index> global_attn_indexes = {2, 5, 8, 11};  ///< blocks that see the whole image
  double layer_norm_eps = 1e-6;

  [[nodiscard]] Index head_dim() const { return hidden_size / num_attention_heads; }
  /// Positions along a side of the encoded image.
  [[nodiscard]] Index grid() const { return image_size / patch_size; }
  [[nodiscard]] bool is_global(Index layer) const {
    return window_size == 0 ||
           std::ranges::find(global_attn_indexes, layer) != global_attn_indexes.end();
  }
};

/// The decoder and its transformer.
struct MaskDecoderConfig {
  Index hidden_size = 256;
  Index mlp_dim = 2048;
  Index num_hidden_layers = 2;
  Index num_attention_heads = 8;
  Index attention_downsample_rate = 2;  ///< the cross attentions are that much narrower inside
  Index num_multimask_outputs = 3;
  Index iou_head_depth = 3;
  Index iou_head_hidden_dim = 256;

  /// One mask for prompts that mean one thing, and the others for those that may mean several.
  [[nodiscard]] Index masks() const { return num_multimask_outputs + 1; }
};

/// All sizes of a SAM. As it is made, those of the published vit_b.
struct Config {
  VisionConfig vision;
  MaskDecoderConfig decoder;
  Index mask_input_channels = 16;  ///< of a mask prompt before its last convolution

  /// Side of a mask prompt, and of the logits that the decoder gives: four a grid position.
  [[nodiscard]] Index mask_side() const { return 4 * vision.grid(); }
};

/// The published model with this width: vit_b 768, vit_l 1024, vit_h 1280; else none.
[[nodiscard]] inline std::optional<Config> published_config(Index hidden_size) {
  Config config;
  VisionConfig& vision = config.vision;
  if (hidden_size == 768) return config;
  if (hidden_size == 1024) {
    vision.num_hidden_layers = 24;
    vision.global_attn_indexes = {5, 11, 17, 23};
  } else if (hidden_size == 1280) {
    vision.num_hidden_layers = 32;
    vision.global_attn_indexes = {7, 15, 23, 31};
  } else {
    return std::nullopt;
  }
  vision.hidden_size = hidden_size;
  vision.num_attention_heads = 16;
  vision.mlp_dim = 4 * hidden_size;
  return config;
}

}  // namespace stamp::sam
