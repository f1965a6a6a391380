// SPDX-License-Identifier: Apache-2.0
// Keys and values of a dialogue, kept so that a later pass reads instead of recomputing them.
#pragma once

#include <algorithm>
#include <stamp/ops/backend.hpp>
#include <stamp/tensor/reshape.hpp>
#include <utility>
#include <vector>

namespace stamp {

/// The cache of one layer: keys (after rotation) and values, [Keys, KvHeads, HeadDim] each.
template <Backend B>
struct KvLayer {
  typename B::template Kept<Keys, KvHeads, HeadDim> keys;
  typename B::template Kept<Keys, KvHeads, HeadDim> values;
};

/// Slots [0, length()) hold the dialogue. A pass writes behind them; what it wrote stays only if
/// it then calls `advance`. So a mask pass can use the cache and leave it as it was.
template <Backend B>
class KvCache {
 public:
  KvCache(Index layers, KvHeads heads, HeadDim dim)
      : heads_(heads), dim_(dim), layers_(static_cast<std::size_t>(layers)) {}

  /// Tokens of the dialogue.
  [[nodiscard]] Index length() const { return length_; }
  [[nodiscard]] Index capacity() const { return capacity_; }
  [[nodiscard]] KvLayer<B>& layer(Index at) { return layers_[static_cast<std::size_t>(at)]; }

  /// Room for `slots` slots in all; keeps what is there. Grows by doubling, so that a dialogue of
  /// n tokens is copied O(n) times in total.
  void reserve(B& engine, Index slots) {
    if (slots <= capacity_) return;
    const Index grown = std::max(slots, 2 * capacity_);
    for (KvLayer<B>& layer : layers_) {
      grow(engine, layer.keys, grown);
      grow(engine, layer.values, grown);
    }
    capacity_ = grown;
  }

  /// The next `count` slots belong to the dialogue now.
  void advance(Index count) { length_ += count; }

  /// Forgets all but the first `length` tokens.
  void truncate(Index length) { length_ = std::min(length, length_); }

  /// How many slots a pass sees that branches off the dialogue after its first `history` tokens.
  /// What such a pass writes stands from length() on, behind everything that was said later, so
  /// that nothing is overwritten. Throws Error{usage} when `history` is not within the dialogue.
  [[nodiscard]] Index branch(Index history) const {
    if (history < 0 || history > length_) {
      fail(Fault::usage, "KvCache::branch: expected a length up to " + std::to_string(length_) +
                             ", found " + std::to_string(history));
    }
    return history;
  }

 private:
  template <class KeptTensor>
  void grow(B& engine, KeptTensor& tensor, Index slots) {
    auto larger = engine.keep(Keys{slots}, heads_, dim_);
    if (length_ > 0) {
      copy(engine, rows(larger.view(), 0, length_), rows(tensor.view(), 0, length_));
    }
    tensor = std::move(larger);
  }

  KvHeads heads_;
  HeadDim dim_;
  std::vector<KvLayer<B>> layers_;
  Index length_ = 0;
  Index capacity_ = 0;
};

}  // namespace stamp
