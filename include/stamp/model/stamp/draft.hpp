// SPDX-License-Identifier: Apache-2.0
// Guessing the next words from answers that are likely as a whole, and from what was read and said:
// answers repeat the question ("the red cup") and earlier answers. A guess costs one lookup; the
// model then judges several words in one pass.
// Prompt lookup decoding (A. Saxena, 2023), a form of speculative decoding without a second model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp {

/// What followed the last words of `ids` when they stood there before: up to `most` tokens behind
/// the latest earlier place of the last three tokens, else of the last two. A view into `ids`;
/// empty where they are new.
[[nodiscard]] inline std::span<const std::int32_t> draft_from(std::span<const std::int32_t> ids,
                                                              Index most) {
  constexpr std::size_t longest = 3;
  constexpr std::size_t shortest = 2;
  if (most <= 0) return {};
  for (std::size_t length = longest; length >= shortest; --length) {
    if (ids.size() <= length) continue;
    const auto known = ids.last(length);
    for (std::size_t end = ids.size() - 1; end >= length; --end) {
      const auto before = ids.subspan(end - length, length);
      if (!std::equal(known.begin(), known.end(), before.begin())) continue;
      return ids.subspan(end, std::min(static_cast<std::size_t>(most), ids.size() - end));
    }
  }
  return {};
}

/// How the first of `answers` goes on that begins with `said`: up to `most` tokens, a view into it;
/// empty where none does.
[[nodiscard]] inline std::span<const std::int32_t> draft_from(
    std::span<const std::vector<std::int32_t>> answers, std::span<const std::int32_t> said,
    Index most) {
  if (most <= 0) return {};
  for (const std::vector<std::int32_t>& answer : answers) {
    if (answer.size() <= said.size() || !std::equal(said.begin(), said.end(), answer.begin())) {
      continue;
    }
    const auto rest = std::span<const std::int32_t>(answer).subspan(said.size());
    return rest.first(std::min(static_cast<std::size_t>(most), rest.size()));
  }
  return {};
}

}  // namespace stamp
