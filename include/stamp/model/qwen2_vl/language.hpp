// SPDX-License-Identifier: Apache-2.0
// The language model of Qwen2-VL: embedding, decoder layers, final norm.
// Mirrors Qwen2VLTextModel of transformers' modeling_qwen2_vl.py.
#pragma once

#include <stamp/model/qwen2_vl/config.hpp>
#include <stamp/nn/attention.hpp>
#include <stamp/nn/embedding.hpp>
#include <stamp/nn/mlp.hpp>
#include <stamp/nn/rms_norm.hpp>
#include <stamp/observe/tap.hpp>
#include <vector>

namespace stamp::qwen2_vl {

/// One block: x += self_attn(input_layernorm(x)); x += mlp(post_attention_layernorm(x)).
template <Backend B>
struct DecoderLayer {
  RmsNorm<B, Hidden> input_layernorm, post_attention_layernorm;
  Attention<B> self_attn;
  SwiGlu<B> mlp;

  static constexpr auto parts =
      std::tuple{Part{"input_layernorm", &DecoderLayer::input_layernorm},
                 Part{"post_attention_layernorm", &DecoderLayer::post_attention_layernorm},
                 Part{"self_attn", &DecoderLayer::self_attn}, Part{"mlp", &DecoderLayer::mlp}};

  explicit DecoderLayer(const TextConfig& c)
      : input_layernorm(Hidden{c.hidden_size}, c.rms_norm_eps),
        post_attention_layernorm(Hidden{c.hidden_size}, c.rms_norm_eps),
        self_attn(Hidden{c.hidden_size}, Heads{c.num_attention_heads},
                  KvHeads{c.num_key_value_heads}, HeadDim{c.head_dim()}),
        mlp(Hidden{c.hidden_size}, Ffn{c.intermediate_size}) {}

  /// x [Tokens, Hidden], in place; keys and values go to cache slots [slot, slot + Tokens).
  template <class Slot, MaskPolicy Mask>
  void operator()(B& engine, Activation<B, Tokens, Hidden> x, const Rotary<B, Tokens>& at,
                  KvLayer<B>& cache, Slot slot, Mask mask) const {
    const auto frame = engine.frame();
    self_attn(engine, x, input_layernorm, at, cache, slot, mask);
    mlp(engine, x, post_attention_layernorm);
  }
};

/// Embedding, layers and final norm; which of them run is the caller's business, because phase 1
/// normalises one row and phase 2 all of them.
template <Backend B>
struct LanguageModel {
  Embedding<B> embed_tokens;
  std::vector<DecoderLayer<B>> layers;
  RmsNorm<B, Hidden> norm;
  TextConfig config;

  static constexpr auto parts =
      std::tuple{Part{"embed_tokens", &LanguageModel::embed_tokens},
                 Part{"layers", &LanguageModel::layers}, Part{"norm", &LanguageModel::norm}};

  explicit LanguageModel(const TextConfig& c)
      : embed_tokens(Vocab{c.vocab_size}, Hidden{c.hidden_size}, c.tie_word_embeddings),
        norm(Hidden{c.hidden_size}, c.rms_norm_eps),
        config(c) {
    for (Index layer = 0; layer < c.num_hidden_layers; ++layer) layers.emplace_back(c);
  }

  /// The residual stream x [Tokens, Hidden] through all layers, in place. The cache must have
  /// room for slots [slot, slot + Tokens).
  template <class Slot, MaskPolicy Mask, Tap<B> T = NoTap>
  void operator()(B& engine, Activation<B, Tokens, Hidden> x, const Rotary<B, Tokens>& at,
                  KvCache<B>& cache, Slot slot, Mask mask, const T& tap = {}) const {
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      layers[layer](engine, x, at, cache.layer(static_cast<Index>(layer)), slot, mask);
      tap.record(engine, "layers", static_cast<Index>(layer), x);
    }
  }

  [[nodiscard]] KvCache<B> empty_cache() const {
    return KvCache<B>(config.num_hidden_layers, KvHeads{config.num_key_value_heads},
                      HeadDim{config.head_dim()});
  }
};

}  // namespace stamp::qwen2_vl
