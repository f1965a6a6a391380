// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/added_tokens.hpp>.
#pragma once

#include <stamp/text/added_tokens.hpp>
#include <utility>

namespace stamp::text {

bool AddedToken::is_control() const {
  return special || (content.starts_with("<|") && content.ends_with("|>"));
}

void AddedTokens::add(AddedToken token, std::string_view pattern) {
  std::uint32_t node = 0;
  for (const char byte : pattern) {
    const auto [edge, added] = edges_.try_emplace(key(node, byte), node_count_);
    if (added) ++node_count_;
    node = edge->second;
  }
  starts_[static_cast<unsigned char>(pattern.front())] = true;
  ends_.try_emplace(node, tokens_.size());
  tokens_.push_back(std::move(token));
}

std::uint64_t AddedTokens::key(std::uint32_t node, char byte) {
  return static_cast<std::uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
}

std::optional<AddedTokens::Match> AddedTokens::longest_at(std::string_view text,
                                                          std::size_t begin) const {
  if (!starts_[static_cast<unsigned char>(text[begin])]) return std::nullopt;
  std::optional<Match> longest;
  std::uint32_t node = 0;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const auto edge = edges_.find(key(node, text[at]));
    if (edge == edges_.end()) break;
    node = edge->second;
    const auto end = ends_.find(node);
    if (end != ends_.end()) longest = Match{&tokens_[end->second], at + 1};
  }
  return longest;
}

bool AddedTokens::touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  const std::string_view before = text.substr(0, begin);
  const std::string_view after = text.substr(end);
  return (!before.empty() &&
          is_word(front_code_point(before.substr(before.size() - back_length(before))))) ||
         (!after.empty() && is_word(front_code_point(after)));
}

std::size_t AddedTokens::skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && contains(white_space, front_code_point(text.substr(at)))) {
    at += utf8_length(text.substr(at, 4));
  }
  return at;
}

std::size_t AddedTokens::skip_space_back(std::string_view text, std::size_t at, std::size_t least) {
  while (at > least) {
    const std::size_t length = back_length(text.substr(0, at));
    if (!contains(white_space, front_code_point(text.substr(at - length)))) break;
    at -= length;
  }
  return at;
}

}  // namespace stamp::text
