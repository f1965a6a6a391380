// SPDX-License-Identifier: Apache-2.0
// Self-attention of the vision tower: fused query/key/value, 2-D rotary positions, no cache.
#pragma once

#include <cmath>
#include <stamp/nn/linear.hpp>
#include <stamp/nn/rotary.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/tensor/reshape.hpp>

namespace stamp {

/// VisionAttention: proj(attend(rotate(q), rotate(k), v)) with q, k, v from one product.
template <Backend B>
struct VisionAttention {
  Linear<B, VisionHidden, FusedQkv> qkv;
  Linear<B, Queries, VisionHidden> proj;
  Heads heads;

  static constexpr auto parts =
      std::tuple{Part{"qkv", &VisionAttention::qkv}, Part{"proj", &VisionAttention::proj}};

  VisionAttention(VisionHidden hidden, Heads query_heads)
      : qkv(hidden, FusedQkv{3 * hidden.size}),
        proj(Queries{hidden.size}, hidden),
        heads(query_heads) {}

  /// y += attention of x, both [Patches, VisionHidden].
  template <class T, MaskPolicy Mask>
  void operator()(B& engine, Activation<B, Patches, VisionHidden> y,
                  View<T, Patches, VisionHidden> x, const Rotary<B, Patches>& at, Mask mask) const {
    const Patches patches = x.template axis<Patches>();
    const VisionHidden hidden = x.template axis<VisionHidden>();
    const auto frame = engine.frame();

    const HeadDim dim{hidden.size / heads.size};
    const auto fused = qkv(engine, x);
    const auto heads_from = [&](Index first, Heads count) {  // of the columns, a head an entry
      return split(columns(fused, first * dim.size, Queries{count.size * dim.size}), count, dim);
    };
    // Queries and keys lie side by side: one call turns both.
    rotate(engine, heads_from(0, Heads{2 * heads.size}), at.cosine, at.sine);
    const auto query = heads_from(0, heads);
    const auto key = heads_from(heads.size, heads);
    const auto value = heads_from(2 * heads.size, heads);
    auto context = engine.template allocate<typename B::Element>(patches, heads, dim);
    using KeyView = View<const typename B::Element, Keys, KvHeads, HeadDim>;
    attend(engine, context, query, KeyView(rename<Keys, KvHeads, HeadDim>(key)),
           KeyView(rename<Keys, KvHeads, HeadDim>(value)),
           1 / std::sqrt(static_cast<double>(dim.size)), mask);
    matmul_add(engine, y, merge<Queries>(context), proj.weight, proj.bias);
  }
};

}  // namespace stamp
