// SPDX-License-Identifier: Apache-2.0
// The table that turns token ids into vectors; where tied, it is the LM head, too.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>

namespace stamp {

/// torch.nn.Embedding(Vocab, Hidden): weight [Vocab, Hidden].
template <Backend B>
struct Embedding {
  Vocab vocab{0};
  Hidden hidden{0};
  typename B::template Table<Vocab, Hidden> weight{};
  std::optional<typename B::template Matrix<Vocab, Hidden>> head;  ///< the LM head, where tied

  Embedding(Vocab rows, Hidden width, bool tied = false) : vocab(rows), hidden(width) {
    if (tied) head.emplace();
  }

  /// ids in [0, Vocab) to a new activation [Tokens, Hidden].
  [[nodiscard]] Activation<B, Tokens, Hidden> operator()(B& engine,
                                                         std::span<const std::int32_t> ids) const {
    auto x = engine.template allocate<typename B::Element>(Tokens{static_cast<Index>(ids.size())},
                                                           hidden);
    embed(engine, x, weight, ids);
    return x;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {vocab.size, hidden.size}, describe_axes(vocab, hidden));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.table(find("weight"), vocab, hidden);
    if (head) head = engine.matrix(find("weight"), vocab, hidden);
  }
};

}  // namespace stamp
