// SPDX-License-Identifier: Apache-2.0
// Self-attention of the language model: grouped queries, 3-D rotary positions, a key/value cache.
#pragma once

#include <cmath>
#include <stamp/nn/kv_cache.hpp>
#include <stamp/nn/linear.hpp>
#include <stamp/nn/rms_norm.hpp>
#include <stamp/nn/rotary.hpp>
#include <stamp/ops/cursor.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/tensor/reshape.hpp>

namespace stamp {

/// Qwen2VLAttention. The mask belongs to the call: the same weights run causally on text and with
/// the hybrid mask on mask tokens.
template <Backend B>
struct Attention {
  Linear<B, Hidden, Queries> q_proj;
  Linear<B, Hidden, KeyValues> k_proj, v_proj;
  Linear<B, Queries, Hidden, Bias::none> o_proj;
  Heads heads;
  KvHeads kv_heads;
  HeadDim head_dim;

  static constexpr auto parts =
      std::tuple{Part{"q_proj", &Attention::q_proj}, Part{"k_proj", &Attention::k_proj},
                 Part{"v_proj", &Attention::v_proj}, Part{"o_proj", &Attention::o_proj}};
  static constexpr std::size_t of_one_input = 3;  ///< SharesInput

  Attention(Hidden hidden, Heads query_heads, KvHeads key_heads, HeadDim dim)
      : q_proj(hidden, Queries{query_heads.size * dim.size}),
        k_proj(hidden, KeyValues{key_heads.size * dim.size}),
        v_proj(hidden, KeyValues{key_heads.size * dim.size}),
        o_proj(Queries{query_heads.size * dim.size}, hidden),
        heads(query_heads),
        kv_heads(key_heads),
        head_dim(dim) {}

  /// y += attention of x, both [Tokens, Hidden]. Writes the tokens' keys and values to cache slots
  /// [slot, slot + Tokens); query row i then sees the slots of mask.visible(i). `slot` is an Index,
  /// or a SlotAt on an engine that replays.
  template <class T, class Slot, MaskPolicy Mask>
  void operator()(B& engine, Activation<B, Tokens, Hidden> y, View<T, Tokens, Hidden> x,
                  const Rotary<B, Tokens>& at, KvLayer<B>& cache, Slot slot, Mask mask) const {
    run(engine, y, at, cache, slot, mask, [&](auto queries, auto keys, auto values) {
      matmul_qkv(engine, queries, keys, values, x, q_proj, k_proj, v_proj);
    });
  }
  /// y += attention of norm(y).
  template <class Slot, MaskPolicy Mask>
  void operator()(B& engine, Activation<B, Tokens, Hidden> y, const RmsNorm<B, Hidden>& norm,
                  const Rotary<B, Tokens>& at, KvLayer<B>& cache, Slot slot, Mask mask) const {
    run(engine, y, at, cache, slot, mask, [&](auto queries, auto keys, auto values) {
      rms_norm_matmul_qkv(engine, queries, keys, values, y, norm, q_proj, k_proj, v_proj);
    });
  }

 private:
  /// project(queries, keys, values) fills the three.
  template <class Slot, MaskPolicy Mask, class Project>
  void run(B& engine, Activation<B, Tokens, Hidden> y, const Rotary<B, Tokens>& at,
           KvLayer<B>& cache, Slot slot, Mask mask, const Project& project) const {
    const Tokens tokens = y.template axis<Tokens>();
    const auto frame = engine.frame();

    using Element = typename B::Element;
    const auto [queries, keys, values] = allocate_qkv(engine, tokens, q_proj, k_proj, v_proj);
    project(queries, keys, values);
    const auto query = split(queries, heads, head_dim);
    const auto key = split(keys, kv_heads, head_dim);
    const auto value = split(values, kv_heads, head_dim);
    Index reach = 0;
    if constexpr (std::same_as<Slot, SlotAt>) {
      reach = slot.reach;
      rotate_and_store(engine, query, rows(cache.keys.view(), 0, reach),
                       rows(cache.values.view(), 0, reach), key, value, at.cosine, at.sine, slot);
    } else {
      reach = slot + tokens.size;
      rotate_and_store(engine, query, rows(cache.keys.view(), slot, tokens.size),
                       rows(cache.values.view(), slot, tokens.size), key, value, at.cosine,
                       at.sine);
    }

    auto context = engine.template allocate<Element>(tokens, heads, head_dim);
    using CacheView = View<const Element, Keys, KvHeads, HeadDim>;
    attend(engine, context, query, CacheView(rows(cache.keys.view(), 0, reach)),
           CacheView(rows(cache.values.view(), 0, reach)),
           1 / std::sqrt(static_cast<double>(head_dim.size)), mask);
    matmul_add(engine, y, merge<Queries>(context), o_proj.weight);
  }
};

}  // namespace stamp
