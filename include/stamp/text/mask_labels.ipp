// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/mask_labels.hpp>.
#pragma once

#include <algorithm>
#include <stamp/text/mask_labels.hpp>

namespace stamp::text {

namespace detail {

/// ASCII only; the lists above are English, everything else is left as it is.
[[nodiscard]] inline bool same_words(std::string_view text, std::string_view words) {
  return std::equal(text.begin(), text.end(), words.begin(), words.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace detail

std::string label_phrase(std::string_view words) {
  std::string_view phrase = detail::trimmed(words);
  phrase = detail::trimmed(phrase.substr(detail::sentence_start(phrase)));
  for (bool shortened = true; shortened && !phrase.empty();) {
    shortened = false;
    for (const std::string_view opening : detail::opening_words) {
      const bool whole =
          phrase.size() == opening.size() ||
          (phrase.size() > opening.size() && detail::is_label_edge(phrase[opening.size()]));
      if (whole && detail::same_words(phrase.substr(0, opening.size()), opening)) {
        phrase = detail::trimmed(phrase.substr(opening.size()));
        shortened = true;
      }
    }
    for (const std::string_view closing : detail::closing_words) {
      if (phrase.size() < closing.size()) continue;
      const std::size_t start = phrase.size() - closing.size();
      const bool whole = start == 0 || detail::is_label_edge(phrase[start - 1]);
      if (whole && detail::same_words(phrase.substr(start), closing)) {
        phrase = detail::trimmed(phrase.substr(0, start));
        shortened = true;
      }
    }
  }
  return std::string(phrase);
}

std::vector<std::optional<std::string>> mask_labels(const Tokenizer& tokenizer,
                                                    std::span<const TokenId> answer, TokenId seg) {
  std::vector<std::optional<std::string>> labels;
  for (std::size_t begin = 0;;) {
    const auto found =
        std::find(answer.begin() + static_cast<std::ptrdiff_t>(begin), answer.end(), seg);
    if (found == answer.end()) return labels;
    const auto end = static_cast<std::size_t>(found - answer.begin());
    const std::string phrase =
        label_phrase(tokenizer.decode(answer.subspan(begin, end - begin), Decoding::skip_special));
    if (!phrase.empty()) {
      labels.emplace_back(phrase);
    } else {
      labels.push_back(labels.empty() ? std::nullopt : labels.back());
    }
    begin = end + 1;
  }
}

}  // namespace stamp::text
