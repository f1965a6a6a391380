// SPDX-License-Identifier: Apache-2.0
// The words within which byte pairs are merged: text is cut by one pattern after another.
// Mirrors `Sequence` of `Split` and `ByteLevel` of Hugging Face `tokenizers`.
#pragma once

#include <cstddef>
#include <stamp/text/oniguruma.hpp>
#include <stamp/text/regex.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::text {

/// Qwen2's words: contractions; letters with at most one other character before them; single
/// digits; punctuation with its newlines; newlines; spaces (transformers' tokenization_qwen2.py).
inline constexpr std::string_view qwen2_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// GPT-2's words, which `ByteLevel` cuts by itself when its use_regex is true.
inline constexpr std::string_view gpt2_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Patterns that are applied in turn, each to the pieces that the one before it left.
class PreTokenizer {
 public:
  /// Adds a pattern as Oniguruma spells it; throws Error{input}, starting with `where`.
  void add(std::string_view pattern, const std::string& where);

  /// Calls `word(std::string_view)` for each word of `text` (valid UTF-8), in order.
  template <class Word>
  void split(std::string_view text, Word word) const {
    if (!text.empty()) split_from(0, text, word);
  }

 private:
  template <class Word>
  void split_from(std::size_t pattern, std::string_view text, Word& word) const {
    if (pattern == patterns_.size()) return word(text);
    patterns_[pattern].split(text,
                             [&](std::string_view piece) { split_from(pattern + 1, piece, word); });
  }

  std::vector<Regex> patterns_;
};

}  // namespace stamp::text
