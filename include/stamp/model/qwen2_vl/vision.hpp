// SPDX-License-Identifier: Apache-2.0
// The vision tower of Qwen2-VL, box by box: patches in, one feature a language token out.
// Mirrors Qwen2VisionTransformerPretrainedModel of transformers' modeling_qwen2_vl.py.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <stamp/model/qwen2_vl/config.hpp>
#include <stamp/model/qwen2_vl/patch_grid.hpp>
#include <stamp/nn/layer_norm.hpp>
#include <stamp/nn/mlp.hpp>
#include <stamp/nn/patch_embed.hpp>
#include <stamp/nn/vision_attention.hpp>
#include <stamp/observe/tap.hpp>
#include <stamp/tensor/reshape.hpp>
#include <vector>

namespace stamp::qwen2_vl {

/// Upstream fixes it in the class, not in the configuration.
inline constexpr double vision_norm_eps = 1e-6;

/// One block: x += attn(norm1(x)); x += mlp(norm2(x)).
template <Backend B>
struct VisionBlock {
  LayerNorm<B, VisionHidden> norm1, norm2;
  VisionAttention<B> attn;
  QuickGeluMlp<B> mlp;

  static constexpr auto parts =
      std::tuple{Part{"norm1", &VisionBlock::norm1}, Part{"norm2", &VisionBlock::norm2},
                 Part{"attn", &VisionBlock::attn}, Part{"mlp", &VisionBlock::mlp}};

  explicit VisionBlock(const VisionConfig& c)
      : norm1(VisionHidden{c.embed_dim}, vision_norm_eps),
        norm2(VisionHidden{c.embed_dim}, vision_norm_eps),
        attn(VisionHidden{c.embed_dim}, Heads{c.num_heads}),
        mlp(VisionHidden{c.embed_dim}, VisionFfn{c.mlp_hidden}) {}

  /// x [Patches, VisionHidden], in place.
  template <MaskPolicy Mask>
  void operator()(B& engine, Activation<B, Patches, VisionHidden> x, const Rotary<B, Patches>& at,
                  Mask mask) const {
    const auto frame = engine.frame();
    attn(engine, x, norm1(engine, x), at, mask);
    mlp(engine, x, norm2(engine, x));
  }
};

/// Puts the merge² patches of a group side by side and maps them to the language model's width:
/// mlp.2(gelu(mlp.0(ln_q(x) grouped))).
template <Backend B>
struct PatchMerger {
  LayerNorm<B, VisionHidden> ln_q;
  Linear<B, Merged, Merged> mlp_0;
  Linear<B, Merged, Hidden> mlp_2;

  static constexpr auto parts =
      std::tuple{Part{"ln_q", &PatchMerger::ln_q}, Part{"mlp.0", &PatchMerger::mlp_0},
                 Part{"mlp.2", &PatchMerger::mlp_2}};

  explicit PatchMerger(const VisionConfig& c)
      : ln_q(VisionHidden{c.embed_dim}, vision_norm_eps),
        mlp_0(Merged{c.embed_dim * c.merged_patches()}, Merged{c.embed_dim * c.merged_patches()}),
        mlp_2(Merged{c.embed_dim * c.merged_patches()}, Hidden{c.hidden_size}) {}

  /// x [Patches, VisionHidden] to features [Tokens = Patches/merge², Hidden], written to `y`.
  void operator()(B& engine, Activation<B, Tokens, Hidden> y,
                  Activation<B, Patches, VisionHidden> x) const {
    const auto frame = engine.frame();
    const Index group = mlp_0.in.size / ln_q.axis.size;
    auto inner = mlp_0(engine, group_rows<Tokens, Merged>(ln_q(engine, x), group));
    gelu(engine, inner);
    matmul(engine, y, inner, mlp_2.weight, mlp_2.bias);
  }
};

/// write(engine, y) puts pixel_values, the image processor's numbers, into y in the engine's
/// memory: [Patches, PatchLength], images one after another.
template <class W, class B>
concept PixelWriter = std::invocable<const W&, B&, Activation<B, Patches, PatchLength>>;

/// patch_embed, the blocks, the merger.
template <Backend B>
struct VisionTower {
  PatchEmbed<B> patch_embed;
  std::vector<VisionBlock<B>> blocks;
  PatchMerger<B> merger;
  VisionConfig config;

  static constexpr auto parts =
      std::tuple{Part{"patch_embed", &VisionTower::patch_embed},
                 Part{"blocks", &VisionTower::blocks}, Part{"merger", &VisionTower::merger}};

  explicit VisionTower(const VisionConfig& c)
      : patch_embed(c.in_channels, c.temporal_patch_size, c.patch_size, VisionHidden{c.embed_dim}),
        merger(c),
        config(c) {
    for (Index layer = 0; layer < c.depth; ++layer) blocks.emplace_back(c);
  }

  /// Merged features F_p, [Tokens, Hidden] with Tokens = Σ t·h·w / merge² over `grids`, into `y`.
  template <PixelWriter<B> Write, Tap<B> T = NoTap>
  void operator()(B& engine, Activation<B, Tokens, Hidden> y, const Write& write,
                  std::span<const PatchGrid> grids, const T& tap = {}) const {
    const auto frame = engine.frame();
    const Patches patches{count_patches(grids)};
    auto pixels =
        engine.template allocate<typename B::Element>(patches, PatchLength{config.patch_length()});
    write(engine, pixels);

    auto x = patch_embed(engine, pixels);
    tap.record(engine, "patch_embed", x);
    const auto at = vision_rotary(engine, grids, config);
    const auto boundaries = frame_boundaries(grids);
    auto device_boundaries =
        engine.template allocate<std::int32_t>(Tokens{static_cast<Index>(boundaries.size())});
    engine.upload(device_boundaries, std::span<const std::int32_t>(boundaries));
    const BlockDiagonal mask{device_boundaries.data(), static_cast<Index>(boundaries.size()) - 1};

    for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
      blocks[layer](engine, x, at, mask);
      tap.record(engine, "blocks", static_cast<Index>(layer), x);
    }
    merger(engine, y, x);
    tap.record(engine, "merger", y);
  }
  /// The same with pixel_values that lie in host memory.
  template <Tap<B> T = NoTap>
  void operator()(B& engine, Activation<B, Tokens, Hidden> y, std::span<const float> pixel_values,
                  std::span<const PatchGrid> grids, const T& tap = {}) const {
    const auto upload = [&](B& to, Activation<B, Patches, PatchLength> pixels) {
      to.upload(pixels, pixel_values);
    };
    (*this)(engine, y, upload, grids, tap);
  }
};

}  // namespace stamp::qwen2_vl
