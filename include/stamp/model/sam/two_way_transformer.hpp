// SPDX-License-Identifier: Apache-2.0
// Prompt tokens and image positions that look at each other in turn.
// Mirrors TwoWayTransformer of segment_anything/modeling/transformer.py.
#pragma once

#include <cmath>
#include <stamp/model/sam/config.hpp>
#include <stamp/model/sam/mlp_block.hpp>
#include <stamp/nn/layer_norm.hpp>
#include <stamp/nn/linear.hpp>
#include <stamp/observe/tap.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/sam_backend.hpp>
#include <stamp/tensor/reshape.hpp>
#include <vector>

namespace stamp::sam {

/// torch.nn.LayerNorm's own, which upstream leaves as it is here.
inline constexpr double transformer_norm_eps = 1e-5;

/// A new activation x + y.
template <SamBackend B, class T, class U, Axis R, Axis A>
[[nodiscard]] Activation<B, R, A> sum(B& engine, View<T, R, A> x, View<U, R, A> y) {
  auto z = engine.template allocate<typename B::Element>(x.template axis_at<0>(),
                                                         x.template axis_at<1>());
  sum(engine, z, x, y);
  return z;
}

/// Attention between any two sets of rows: out_proj(softmax(q·kᵀ/√HeadDim)·v), each projected.
template <SamBackend B>
struct PromptAttention {
  Linear<B, Channels, Queries> q_proj, k_proj, v_proj;
  Linear<B, Queries, Channels> out_proj;
  Heads heads;

  static constexpr auto parts = std::tuple{
      Part{"q_proj", &PromptAttention::q_proj}, Part{"k_proj", &PromptAttention::k_proj},
      Part{"v_proj", &PromptAttention::v_proj}, Part{"out_proj", &PromptAttention::out_proj}};

  PromptAttention(const MaskDecoderConfig& c, Index downsample)
      : q_proj(Channels{c.hidden_size}, Queries{c.hidden_size / downsample}),
        k_proj(Channels{c.hidden_size}, Queries{c.hidden_size / downsample}),
        v_proj(Channels{c.hidden_size}, Queries{c.hidden_size / downsample}),
        out_proj(Queries{c.hidden_size / downsample}, Channels{c.hidden_size}),
        heads{c.num_attention_heads} {}

  /// q [R, Channels] looks at k and v [K, Channels]; a new activation [R, Channels].
  template <class Q, class K, class V, Axis R, Axis S>
  [[nodiscard]] Activation<B, R, Channels> operator()(B& engine, View<Q, R, Channels> q,
                                                      View<K, S, Channels> k,
                                                      View<V, S, Channels> v) const {
    auto y = engine.template allocate<Element>(q.template axis_at<0>(), out_proj.out);
    const auto frame = engine.frame();
    matmul(engine, y, context(engine, q, k, v), out_proj.weight, out_proj.bias);
    return y;
  }

  /// The same onto y [R, Channels].
  template <class Q, class K, class V, Axis R, Axis S>
  void add_to(B& engine, Activation<B, R, Channels> y, View<Q, R, Channels> q,
              View<K, S, Channels> k, View<V, S, Channels> v) const {
    const auto frame = engine.frame();
    matmul_add(engine, y, context(engine, q, k, v), out_proj.weight, out_proj.bias);
  }

 private:
  using Element = typename B::Element;

  /// softmax(q·kᵀ/√HeadDim)·v, heads side by side: [R, Queries].
  template <class Q, class K, class V, Axis R, Axis S>
  [[nodiscard]] Activation<B, R, Queries> context(B& engine, View<Q, R, Channels> q,
                                                  View<K, S, Channels> k,
                                                  View<V, S, Channels> v) const {
    const HeadDim dim{q_proj.out.size / heads.size};
    const auto query = split(q_proj(engine, q), heads, dim);
    using KeyView = View<const Element, Keys, KvHeads, HeadDim>;
    const KeyView key = rename<Keys, KvHeads, HeadDim>(split(k_proj(engine, k), heads, dim));
    const KeyView value = rename<Keys, KvHeads, HeadDim>(split(v_proj(engine, v), heads, dim));
    const auto mixed = engine.template allocate<Element>(q.template axis_at<0>(), heads, dim);
    attend(engine, mixed, query, key, value, 1 / std::sqrt(static_cast<double>(dim.size)),
           Bidirectional{k.extents()[0]});
    return merge<Queries>(mixed);
  }
};

/// What the two sides of the transformer are told apart by: where they stand.
template <SamBackend B>
struct PlaceCodes {
  View<const typename B::Element, Tokens, Channels> tokens;  ///< the prompt itself, unchanged
  View<const typename B::Element, Pixels, Channels> image;   ///< PromptEncoder's dense encoding
};

/// TwoWayAttentionBlock: tokens among themselves, tokens to image, MLP, image to tokens.
template <SamBackend B>
struct TwoWayBlock {
  PromptAttention<B> self_attn, cross_attn_token_to_image, cross_attn_image_to_token;
  LayerNorm<B, Channels> norm1, norm2, norm3, norm4;
  MlpBlock<B, Channels, Ffn, Relu> mlp;
  bool first;  ///< the first block attends among the bare prompt and replaces it

  static constexpr auto parts =
      std::tuple{Part{"self_attn", &TwoWayBlock::self_attn},
                 Part{"norm1", &TwoWayBlock::norm1},
                 Part{"cross_attn_token_to_image", &TwoWayBlock::cross_attn_token_to_image},
                 Part{"norm2", &TwoWayBlock::norm2},
                 Part{"mlp", &TwoWayBlock::mlp},
                 Part{"norm3", &TwoWayBlock::norm3},
                 Part{"norm4", &TwoWayBlock::norm4},
                 Part{"cross_attn_image_to_token", &TwoWayBlock::cross_attn_image_to_token}};

  TwoWayBlock(const MaskDecoderConfig& c, bool is_first)
      : self_attn(c, 1),
        cross_attn_token_to_image(c, c.attention_downsample_rate),
        cross_attn_image_to_token(c, c.attention_downsample_rate),
        norm1(Channels{c.hidden_size}, transformer_norm_eps),
        norm2(Channels{c.hidden_size}, transformer_norm_eps),
        norm3(Channels{c.hidden_size}, transformer_norm_eps),
        norm4(Channels{c.hidden_size}, transformer_norm_eps),
        mlp(Channels{c.hidden_size}, Ffn{c.mlp_dim}),
        first(is_first) {}

  /// queries [Tokens, Channels] and keys [Pixels, Channels], both in place.
  void operator()(B& engine, Activation<B, Tokens, Channels> queries,
                  Activation<B, Pixels, Channels> keys, const PlaceCodes<B>& at) const {
    const auto frame = engine.frame();
    if (first) {
      copy(engine, queries, norm1(engine, self_attn(engine, queries, queries, queries)));
    } else {
      const auto placed = sum(engine, queries, at.tokens);
      self_attn.add_to(engine, queries, placed, placed, queries);
      norm1.in_place(engine, queries);
    }
    const auto image = sum(engine, keys, at.image);
    cross_attn_token_to_image.add_to(engine, queries, sum(engine, queries, at.tokens), image, keys);
    norm2.in_place(engine, queries);
    mlp(engine, queries, queries);
    norm3.in_place(engine, queries);
    cross_attn_image_to_token.add_to(engine, keys, image, sum(engine, queries, at.tokens), queries);
    norm4.in_place(engine, keys);
  }
};

/// The blocks, a last look of the tokens at the image, and a norm.
template <SamBackend B>
struct TwoWayTransformer {
  std::vector<TwoWayBlock<B>> layers;
  PromptAttention<B> final_attn_token_to_image;
  LayerNorm<B, Channels> norm_final_attn;

  static constexpr auto parts =
      std::tuple{Part{"layers", &TwoWayTransformer::layers},
                 Part{"final_attn_token_to_image", &TwoWayTransformer::final_attn_token_to_image},
                 Part{"norm_final_attn", &TwoWayTransformer::norm_final_attn}};

  explicit TwoWayTransformer(const MaskDecoderConfig& c)
      : final_attn_token_to_image(c, c.attention_downsample_rate),
        norm_final_attn(Channels{c.hidden_size}, transformer_norm_eps) {
    for (Index layer = 0; layer < c.num_hidden_layers; ++layer) layers.emplace_back(c, layer == 0);
  }

  /// `queries` [Tokens, Channels] hold the prompt at first and `keys` [Pixels, Channels] the image;
  /// both in place.
  template <Tap<B> T = NoTap>
  void operator()(B& engine, Activation<B, Tokens, Channels> queries,
                  Activation<B, Pixels, Channels> keys, const PlaceCodes<B>& at,
                  const T& tap = {}) const {
    const auto frame = engine.frame();
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      layers[layer](engine, queries, keys, at);
      const auto box = tap.within("layers." + std::to_string(layer));
      box.record(engine, "queries", queries);
      box.record(engine, "keys", keys);
    }
    final_attn_token_to_image.add_to(engine, queries, sum(engine, queries, at.tokens),
                                     sum(engine, keys, at.image), keys);
    norm_final_attn.in_place(engine, queries);
    tap.record(engine, "norm_final_attn", queries);
  }
};

}  // namespace stamp::sam
