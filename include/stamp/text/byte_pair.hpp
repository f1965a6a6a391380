// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one word: neighbours are merged, the earliest learned pair first.
// Mirrors Word::merge_all of Hugging Face `tokenizers` (Sennrich et al. 2016, algorithm 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <stamp/text/vocabulary.hpp>
#include <unordered_map>
#include <vector>

namespace stamp::text {

/// What two neighbours become, and how early the pair was learned (0 is first).
struct Merge {
  std::int32_t rank;
  TokenId result;
};

/// The learned merges. Immutable once loaded.
class BytePair {
 public:
  /// The next merge in rank; false when the pair has one already.
  [[nodiscard]] bool add(TokenId left, TokenId right, TokenId result) {
    const auto rank = static_cast<std::int32_t>(merges_.size());
    return merges_.try_emplace(key(left, right), Merge{rank, result}).second;
  }
  void reserve(std::size_t merges) { merges_.reserve(merges); }
  [[nodiscard]] std::size_t size() const { return merges_.size(); }

  /// Merges the symbols of one word and appends what is left to `ids`. O(n log n): neighbours are
  /// found through links, the earliest pair through a heap.
  void encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
    std::vector<Symbol> symbols(word.size());
    std::priority_queue<Candidate> candidates;
    const auto propose = [&](std::size_t left, std::size_t right) {
      const auto merge = find(symbols[left].id, symbols[right].id);
      if (merge) candidates.push({merge->rank, left, merge->result});
    };
    for (std::size_t at = 0; at < word.size(); ++at) symbols[at] = {word[at], at - 1, at + 1};
    for (std::size_t at = 1; at < word.size(); ++at) propose(at - 1, at);

    while (!candidates.empty()) {
      const Candidate best = candidates.top();
      candidates.pop();
      Symbol& left = symbols[best.at];
      if (left.id == gone || left.next >= symbols.size()) continue;
      // The pair may have changed since; as upstream, only what it would become is compared.
      const std::size_t right = left.next;
      const auto merge = find(left.id, symbols[right].id);
      if (!merge || merge->result != best.result) continue;

      left.id = best.result;
      left.next = symbols[right].next;
      symbols[right].id = gone;
      if (left.next < symbols.size()) symbols[left.next].previous = best.at;
      if (left.previous < symbols.size()) propose(left.previous, best.at);
      if (left.next < symbols.size()) propose(best.at, left.next);
    }
    for (const Symbol& symbol : symbols) {
      if (symbol.id != gone) ids.push_back(symbol.id);
    }
  }

 private:
  static constexpr TokenId gone = -1;

  /// A piece of the word and its neighbours; a neighbour beyond the word is out of range.
  struct Symbol {
    TokenId id;
    std::size_t previous;
    std::size_t next;
  };
  /// A pair that can merge, named by its left symbol. The heap's top has the lowest rank, then the
  /// leftmost place.
  struct Candidate {
    std::int32_t rank;
    std::size_t at;
    TokenId result;
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };

  [[nodiscard]] static std::uint64_t key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::optional<Merge> find(TokenId left, TokenId right) const {
    const auto merge = merges_.find(key(left, right));
    return merge == merges_.end() ? std::nullopt : std::optional(merge->second);
  }

  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace stamp::text
