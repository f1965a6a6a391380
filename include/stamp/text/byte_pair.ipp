// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/byte_pair.hpp>.
#pragma once

#include <queue>
#include <stamp/text/byte_pair.hpp>

namespace stamp::text {

bool BytePair::add(TokenId left, TokenId right, TokenId result) {
  const auto rank = static_cast<std::int32_t>(merges_.size());
  return merges_.try_emplace(key(left, right), Merge{rank, result}).second;
}

void BytePair::encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
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

std::uint64_t BytePair::key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::optional<Merge> BytePair::find(TokenId left, TokenId right) const {
  const auto merge = merges_.find(key(left, right));
  return merge == merges_.end() ? std::nullopt : std::optional(merge->second);
}

}  // namespace stamp::text
