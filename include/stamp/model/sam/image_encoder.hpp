// SPDX-License-Identifier: Apache-2.0
// SAM's image encoder, box by box: a padded square in, one feature a position out.
// Mirrors ImageEncoderViT of segment_anything/modeling/image_encoder.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <stamp/model/sam/config.hpp>
#include <stamp/model/sam/mlp_block.hpp>
#include <stamp/model/sam/window.hpp>
#include <stamp/nn/layer_norm.hpp>
#include <stamp/observe/tap.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/windows.hpp>

namespace stamp::sam {

/// A learned table of relative positions along one side: [2·side - 1, HeadDim], a bare tensor.
template <SamBackend B>
struct RelativeTable {
  Offsets offsets;
  HeadDim dim;
  typename B::template Matrix<Offsets, HeadDim> weight{};

  RelativeTable(Index side, HeadDim head_dim) : offsets{2 * side - 1}, dim(head_dim) {}

  /// query [Tokens, HeadDim], dense, the heads of every position one after another (Tokens = Row ·
  /// Heads), to query · weightᵀ, a new activation [Tokens, Offsets]. The query is not scaled.
  /// The product that add_decomposed_rel_pos takes with the rows of get_rel_pos; with all rows of
  /// the table at once, attention picks the offset (ops/relative_position.hpp).
  [[nodiscard]] Activation<B, Tokens, Offsets> operator()(
      B& engine, View<const typename B::Element, Tokens, HeadDim> query) const {
    auto y = engine.template allocate<typename B::Element>(query.template axis<Tokens>(), offsets);
    matmul(engine, y, query, weight);
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("", {offsets.size, dim.size}, describe_axes(offsets, dim));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.matrix(find(""), offsets, dim);
  }
};

/// Attention: proj(softmax(scale·q·kᵀ + relative positions)·v) inside each window of a map. Zeros
/// join the map where windows reach past its edge: as keys they are the biases of qkv, as queries
/// nobody asks for them, so that products see the map's own positions and one row of zeros.
template <SamBackend B>
struct ImageAttention {
  Linear<B, VisionHidden, FusedQkv> qkv;
  Linear<B, Queries, VisionHidden> proj;
  RelativeTable<B> rel_pos_h, rel_pos_w;
  Heads heads;
  Windows windows;  ///< one of the map's size where attention is global

  static constexpr auto parts = std::tuple{
      Part{"qkv", &ImageAttention::qkv}, Part{"proj", &ImageAttention::proj},
      Part{"rel_pos_h", &ImageAttention::rel_pos_h}, Part{"rel_pos_w", &ImageAttention::rel_pos_w}};

  ImageAttention(const VisionConfig& c, Index side)
      : qkv(VisionHidden{c.hidden_size}, FusedQkv{3 * c.hidden_size}),
        proj(Queries{c.hidden_size}, VisionHidden{c.hidden_size}),
        rel_pos_h(side, HeadDim{c.head_dim()}),
        rel_pos_w(side, HeadDim{c.head_dim()}),
        heads{c.num_attention_heads},
        windows{{c.grid(), c.grid()}, side} {}

  /// y += attention(x), y [Patches, VisionHidden]; x the same and, where windows reach past the
  /// map's edge, a row of zeros behind it.
  void operator()(B& engine, Activation<B, Patches, VisionHidden> y,
                  Activation<B, Patches, VisionHidden> x, const WindowPlaces<B>& places) const {
    using Element = typename B::Element;
    using Third = View<const Element, Patches, Queries>;
    const auto frame = engine.frame();
    const VisionHidden hidden = x.template axis<VisionHidden>();
    const HeadDim dim{hidden.size / heads.size};
    const auto fused = qkv(engine, x);
    const Patches cells{windows.count() * windows.area()};
    const Queries width{hidden.size};
    const auto third = [&](Index which) { return columns(fused, which * hidden.size, width); };
    const auto dense = [&] { return engine.template allocate<Element>(cells, width); };
    auto query = dense();
    auto key = third(1);
    auto value = third(2);
    if (windows.whole()) {
      copy(engine, query, third(0));
    } else {
      key = dense();
      value = dense();
      gather_rows(engine, query, Third(third(0)), places.partition);
      gather_rows(engine, key, Third(third(1)), places.partition);
      gather_rows(engine, value, Third(third(2)), places.partition);
    }
    const View<const Element, Tokens, HeadDim> each_head(query.data(),
                                                         Tokens{cells.size * heads.size}, dim);
    const auto vertical = rel_pos_h(engine, each_head);
    const auto horizontal = rel_pos_w(engine, each_head);
    const auto context = dense();
    using KeyView = View<const Element, Keys, KvHeads, HeadDim>;
    const auto keys = [&](const auto& view) {
      return KeyView(rename<Keys, KvHeads, HeadDim>(split(view, heads, dim)));
    };
    attend_windows(engine, split(context, heads, dim), split(query, heads, dim), keys(key),
                   keys(value), 1 / std::sqrt(static_cast<double>(dim.size)),
                   {vertical.data(), horizontal.data(), heads.size, windows.side, windows.side});
    auto merged = context;
    if (!windows.whole()) {
      merged = engine.template allocate<Element>(y.template axis<Patches>(), width);
      gather_rows(engine, merged, Third(context), places.merge);
    }
    matmul_add(engine, y, merged, proj.weight, proj.bias);
  }
};

/// Block: x += attn(norm1(x)), in windows or over the whole image; x += mlp(norm2(x)).
template <SamBackend B>
struct ImageBlock {
  LayerNorm<B, VisionHidden> norm1, norm2;
  ImageAttention<B> attn;
  MlpBlock<B, VisionHidden, VisionFfn, Gelu> mlp;

  static constexpr auto parts =
      std::tuple{Part{"norm1", &ImageBlock::norm1}, Part{"norm2", &ImageBlock::norm2},
                 Part{"attn", &ImageBlock::attn}, Part{"mlp", &ImageBlock::mlp}};

  ImageBlock(const VisionConfig& c, bool global)
      : norm1(VisionHidden{c.hidden_size}, c.layer_norm_eps),
        norm2(VisionHidden{c.hidden_size}, c.layer_norm_eps),
        attn(c, global ? c.grid() : c.window_size),
        mlp(VisionHidden{c.hidden_size}, VisionFfn{c.mlp_dim}) {}

  /// x [Patches, VisionHidden], in place.
  void operator()(B& engine, Activation<B, Patches, VisionHidden> x,
                  const WindowPlaces<B>& places) const {
    using ConstRows = View<const typename B::Element, Patches, VisionHidden>;
    const auto frame = engine.frame();
    const Patches patches = x.template axis<Patches>();
    const auto normal = engine.template allocate<typename B::Element>(
        Patches{patches.size + (attn.windows.padded() ? 1 : 0)}, norm1.axis);
    const auto after = rows(normal, 0, patches.size);
    layer_norm(engine, after, x, norm1.weight, norm1.bias, norm1.eps);
    if (attn.windows.padded()) {
      gather_rows(engine, rows(normal, patches.size, 1), ConstRows(after), places.none);
    }
    attn(engine, x, normal, places);
    layer_norm(engine, after, x, norm2.weight, norm2.bias, norm2.eps);
    mlp(engine, x, after);
  }
};

/// Learned absolute positions, a bare tensor [1, grid, grid, VisionHidden].
template <SamBackend B>
struct AbsolutePositions {
  Index grid;
  VisionHidden hidden;
  typename B::template Table<Patches, VisionHidden> weight{};

  AbsolutePositions(Index side, VisionHidden width) : grid(side), hidden(width) {}

  /// x [Patches, VisionHidden] += the positions, row by row.
  void operator()(B& engine, Activation<B, Patches, VisionHidden> x) const {
    const auto frame = engine.frame();
    std::vector<std::int32_t> all(static_cast<std::size_t>(grid * grid));
    std::iota(all.begin(), all.end(), 0);
    const auto positions =
        engine.template allocate<typename B::Element>(Patches{grid * grid}, hidden);
    embed(engine, positions, weight, std::span<const std::int32_t>(all));
    add(engine, x, positions);
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    const std::string side = std::to_string(grid);
    visit("", {1, grid, grid, hidden.size},
          "(1, rows " + side + ", columns " + side + ", VisionHidden " +
              std::to_string(hidden.size) + ")");
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.table(find(""), Patches{grid * grid}, hidden);
  }
};

/// patch_embed, pos_embed, the blocks, the neck.
template <SamBackend B>
struct ImageEncoder {
  Convolution<B, VisionHidden> patch_embed;
  AbsolutePositions<B> pos_embed;
  std::vector<ImageBlock<B>> blocks;
  Convolution<B, Channels, Bias::none> neck_0;
  LayerNorm<B, Channels> neck_1;
  Convolution<B, Channels, Bias::none> neck_2;
  LayerNorm<B, Channels> neck_3;
  VisionConfig config;

  static constexpr auto parts = std::tuple{Part{"patch_embed.proj", &ImageEncoder::patch_embed},
                                           Part{"pos_embed", &ImageEncoder::pos_embed},
                                           Part{"blocks", &ImageEncoder::blocks},
                                           Part{"neck.0", &ImageEncoder::neck_0},
                                           Part{"neck.1", &ImageEncoder::neck_1},
                                           Part{"neck.2", &ImageEncoder::neck_2},
                                           Part{"neck.3", &ImageEncoder::neck_3}};

  explicit ImageEncoder(const VisionConfig& c)
      : patch_embed(Channels{3}, VisionHidden{c.hidden_size}, c.patch_size, c.patch_size),
        pos_embed(c.grid(), VisionHidden{c.hidden_size}),
        neck_0(Channels{c.hidden_size}, Channels{c.output_channels}, 1),
        neck_1(Channels{c.output_channels}, c.layer_norm_eps),
        neck_2(Channels{c.output_channels}, Channels{c.output_channels}, 3, 1, 1),
        neck_3(Channels{c.output_channels}, c.layer_norm_eps),
        config(c) {
    for (Index layer = 0; layer < c.num_hidden_layers; ++layer) {
      blocks.emplace_back(c, c.is_global(layer));
    }
  }

  /// Features of an image, [Pixels = grid², Channels], into `y`. `pixels` are normalised and
  /// padded, [image_size, image_size, 3] (transforms.hpp).
  template <Tap<B> T = NoTap>
  void operator()(B& engine, Activation<B, Pixels, Channels> y, std::span<const float> pixels,
                  const T& tap = {}) const {
    const auto frame = engine.frame();
    const MapSize square{config.image_size, config.image_size};
    const MapSize grid{config.grid(), config.grid()};
    auto image = engine.template allocate<typename B::Element>(square.pixels(), Channels{3});
    engine.upload(image, pixels);

    const auto x = rename<Patches, VisionHidden>(patch_embed(engine, image, square));
    tap.record(engine, "patch_embed", x);
    pos_embed(engine, x);
    const auto windowed =
        std::ranges::find_if(blocks, [](const auto& block) { return !block.attn.windows.whole(); });
    const auto places = windowed == blocks.end() ? WindowPlaces<B>{}
                                                 : WindowPlaces<B>(engine, windowed->attn.windows);
    for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
      blocks[layer](engine, x, places);
      tap.record(engine, "blocks", static_cast<Index>(layer), x);
    }
    const auto narrow = neck_1(engine, neck_0(engine, x, grid));
    tap.record(engine, "neck.1", narrow);
    copy(engine, y, neck_3(engine, neck_2(engine, narrow, grid)));
  }
};

}  // namespace stamp::sam
