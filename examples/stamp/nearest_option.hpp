// SPDX-License-Identifier: Apache-2.0
// The name that was probably meant, and how several are told.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::command {

/// Insertions, deletions and replacements between two words.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// Of `names` the one that `word` was probably meant to be: one slip, and one more for every three
/// letters. Empty when none is that near.
[[nodiscard]] inline std::string nearest_of(std::string_view word,
                                            const std::vector<std::string>& names) {
  std::string nearest;
  std::size_t best = 2 + word.size() / 4;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

/// `problem`, and what was probably meant.
[[nodiscard]] inline std::string meant(std::string problem, const std::string& nearest) {
  return nearest.empty() ? problem : problem + " (did you mean " + nearest + "?)";
}

/// "a, b or c" for the word `last` "or".
[[nodiscard]] inline std::string listed(const std::vector<std::string>& names,
                                        std::string_view last) {
  std::string text;
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (at > 0) text += at + 1 < names.size() ? ", " : " " + std::string(last) + " ";
    text += names[at];
  }
  return text;
}

}  // namespace stamp::command
