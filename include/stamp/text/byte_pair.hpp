// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one word: neighbours are merged, the earliest learned pair first.
// Mirrors Word::merge_all of Hugging Face `tokenizers` (Sennrich et al. 2016, algorithm 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
  [[nodiscard]] bool add(TokenId left, TokenId right, TokenId result);
  void reserve(std::size_t merges) { merges_.reserve(merges); }
  [[nodiscard]] std::size_t size() const { return merges_.size(); }

  /// Merges the symbols of one word and appends what is left to `ids`. O(n log n): neighbours are
  /// found through links, the earliest pair through a heap.
  void encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const;

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

  [[nodiscard]] static std::uint64_t key(TokenId left, TokenId right);
  [[nodiscard]] std::optional<Merge> find(TokenId left, TokenId right) const;

  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace stamp::text
