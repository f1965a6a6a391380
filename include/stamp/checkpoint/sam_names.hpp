// SPDX-License-Identifier: Apache-2.0
// SAM's tensors under two names: those of segment-anything's own files, and those of transformers'
// `SamModel`. Mirrors modeling/*.py of segment-anything and modeling_sam.py of transformers 4.57.1.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

enum class SamNaming { official, huggingface };

[[nodiscard]] constexpr std::string_view name_of(SamNaming naming) {
  return naming == SamNaming::official ? "official" : "huggingface";
}

/// One kind of tensor in both namings. `#` stands for a number and `*` for a word, the same ones in
/// the same order on both sides.
struct SamName {
  std::string_view official;
  std::string_view huggingface;
};

inline constexpr std::array sam_names{
    SamName{"image_encoder.pos_embed", "vision_encoder.pos_embed"},
    SamName{"image_encoder.patch_embed.proj.*", "vision_encoder.patch_embed.projection.*"},
    SamName{"image_encoder.blocks.#.norm1.*", "vision_encoder.layers.#.layer_norm1.*"},
    SamName{"image_encoder.blocks.#.norm2.*", "vision_encoder.layers.#.layer_norm2.*"},
    SamName{"image_encoder.blocks.#.attn.qkv.*", "vision_encoder.layers.#.attn.qkv.*"},
    SamName{"image_encoder.blocks.#.attn.proj.*", "vision_encoder.layers.#.attn.proj.*"},
    SamName{"image_encoder.blocks.#.attn.rel_pos_h", "vision_encoder.layers.#.attn.rel_pos_h"},
    SamName{"image_encoder.blocks.#.attn.rel_pos_w", "vision_encoder.layers.#.attn.rel_pos_w"},
    SamName{"image_encoder.blocks.#.mlp.lin1.*", "vision_encoder.layers.#.mlp.lin1.*"},
    SamName{"image_encoder.blocks.#.mlp.lin2.*", "vision_encoder.layers.#.mlp.lin2.*"},
    SamName{"image_encoder.neck.0.weight", "vision_encoder.neck.conv1.weight"},
    SamName{"image_encoder.neck.1.*", "vision_encoder.neck.layer_norm1.*"},
    SamName{"image_encoder.neck.2.weight", "vision_encoder.neck.conv2.weight"},
    SamName{"image_encoder.neck.3.*", "vision_encoder.neck.layer_norm2.*"},

    // One matrix, which SamModel holds twice.
    SamName{"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
            "shared_image_embedding.positional_embedding"},
    SamName{"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
            "prompt_encoder.shared_embedding.positional_embedding"},
    SamName{"prompt_encoder.point_embeddings.#.weight", "prompt_encoder.point_embed.#.weight"},
    SamName{"prompt_encoder.not_a_point_embed.weight", "prompt_encoder.not_a_point_embed.weight"},
    SamName{"prompt_encoder.no_mask_embed.weight", "prompt_encoder.no_mask_embed.weight"},
    SamName{"prompt_encoder.mask_downscaling.0.*", "prompt_encoder.mask_embed.conv1.*"},
    SamName{"prompt_encoder.mask_downscaling.1.*", "prompt_encoder.mask_embed.layer_norm1.*"},
    SamName{"prompt_encoder.mask_downscaling.3.*", "prompt_encoder.mask_embed.conv2.*"},
    SamName{"prompt_encoder.mask_downscaling.4.*", "prompt_encoder.mask_embed.layer_norm2.*"},
    SamName{"prompt_encoder.mask_downscaling.6.*", "prompt_encoder.mask_embed.conv3.*"},

    SamName{"mask_decoder.iou_token.weight", "mask_decoder.iou_token.weight"},
    SamName{"mask_decoder.mask_tokens.weight", "mask_decoder.mask_tokens.weight"},
    SamName{"mask_decoder.transformer.layers.#.self_attn.*.*",
            "mask_decoder.transformer.layers.#.self_attn.*.*"},
    SamName{"mask_decoder.transformer.layers.#.cross_attn_token_to_image.*.*",
            "mask_decoder.transformer.layers.#.cross_attn_token_to_image.*.*"},
    SamName{"mask_decoder.transformer.layers.#.cross_attn_image_to_token.*.*",
            "mask_decoder.transformer.layers.#.cross_attn_image_to_token.*.*"},
    SamName{"mask_decoder.transformer.layers.#.norm1.*",
            "mask_decoder.transformer.layers.#.layer_norm1.*"},
    SamName{"mask_decoder.transformer.layers.#.norm2.*",
            "mask_decoder.transformer.layers.#.layer_norm2.*"},
    SamName{"mask_decoder.transformer.layers.#.norm3.*",
            "mask_decoder.transformer.layers.#.layer_norm3.*"},
    SamName{"mask_decoder.transformer.layers.#.norm4.*",
            "mask_decoder.transformer.layers.#.layer_norm4.*"},
    SamName{"mask_decoder.transformer.layers.#.mlp.lin1.*",
            "mask_decoder.transformer.layers.#.mlp.lin1.*"},
    SamName{"mask_decoder.transformer.layers.#.mlp.lin2.*",
            "mask_decoder.transformer.layers.#.mlp.lin2.*"},
    SamName{"mask_decoder.transformer.final_attn_token_to_image.*.*",
            "mask_decoder.transformer.final_attn_token_to_image.*.*"},
    SamName{"mask_decoder.transformer.norm_final_attn.*",
            "mask_decoder.transformer.layer_norm_final_attn.*"},
    SamName{"mask_decoder.output_upscaling.0.*", "mask_decoder.upscale_conv1.*"},
    SamName{"mask_decoder.output_upscaling.1.*", "mask_decoder.upscale_layer_norm.*"},
    SamName{"mask_decoder.output_upscaling.3.*", "mask_decoder.upscale_conv2.*"},
    // Both heads have three layers in every published model.
    SamName{"mask_decoder.output_hypernetworks_mlps.#.layers.0.*",
            "mask_decoder.output_hypernetworks_mlps.#.proj_in.*"},
    SamName{"mask_decoder.output_hypernetworks_mlps.#.layers.1.*",
            "mask_decoder.output_hypernetworks_mlps.#.layers.0.*"},
    SamName{"mask_decoder.output_hypernetworks_mlps.#.layers.2.*",
            "mask_decoder.output_hypernetworks_mlps.#.proj_out.*"},
    SamName{"mask_decoder.iou_prediction_head.layers.0.*",
            "mask_decoder.iou_prediction_head.proj_in.*"},
    SamName{"mask_decoder.iou_prediction_head.layers.1.*",
            "mask_decoder.iou_prediction_head.layers.0.*"},
    SamName{"mask_decoder.iou_prediction_head.layers.2.*",
            "mask_decoder.iou_prediction_head.proj_out.*"},
};

namespace detail {

[[nodiscard]] std::string filled(std::string_view pattern, std::span<const std::string_view> parts);

}  // namespace detail

/// The names in naming `to` of a tensor that is called `name` in naming `from`: none when SAM has
/// no such tensor, two for the matrix of positions, which SamModel holds twice, else one.
[[nodiscard]] std::vector<std::string> translated_sam_names(std::string_view name, SamNaming from,
                                                            SamNaming to);

/// The naming in which most of `names` are SAM's: single names can be both. Empty when none is.
[[nodiscard]] std::optional<SamNaming> sam_naming(std::span<const std::string> names);

}  // namespace stamp::checkpoint
