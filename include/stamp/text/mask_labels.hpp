// SPDX-License-Identifier: Apache-2.0
// The phrase that each <|seg|> of an answer stands for: "label" of result.json. Our own rule; the
// released code gives masks no names.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <stamp/text/tokenizer.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::text {

namespace detail {

/// What an answer says around the phrase, longest first where one starts another.
inline constexpr std::array opening_words =
    std::to_array<std::string_view>({"sure",
                                     "yes",
                                     "ok",
                                     "okay",
                                     "and",
                                     "or",
                                     "then",
                                     "also",
                                     "here is",
                                     "here are",
                                     "here's",
                                     "there is",
                                     "there are",
                                     "it is",
                                     "it's",
                                     "this is",
                                     "these are",
                                     "they are",
                                     "the segmentation result is",
                                     "the segmentation mask is",
                                     "the segmentation of",
                                     "the segmentation for",
                                     "the mask of",
                                     "the mask for",
                                     "the masks of",
                                     "the masks for",
                                     "segmentation of",
                                     "mask of",
                                     "i segmented",
                                     "i have segmented"});
inline constexpr std::array closing_words = std::to_array<std::string_view>(
    {"is here", "are here", "is", "are", "and", "or", "in the image", "in this image",
     "in the picture", "has been segmented", "have been segmented"});

[[nodiscard]] constexpr bool is_label_edge(char c) {
  return std::string_view(" \t\r\n.,;:!?\"'()[]*`").find(c) != std::string_view::npos;
}
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_label_edge(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_label_edge(text.back())) text.remove_suffix(1);
  return text;
}

/// Start of the last sentence of `text`: behind the last ". ", "! ", "? ", ": " or newline.
[[nodiscard]] constexpr std::size_t sentence_start(std::string_view text) {
  for (std::size_t at = text.size(); at > 0; --at) {
    if (text[at - 1] == '\n') return at;
    const bool ends = std::string_view(".!?:").find(text[at - 1]) != std::string_view::npos;
    if (ends && at < text.size() && text[at] == ' ') return at;
  }
  return 0;
}

}  // namespace detail

/// The phrase in `words`, the words of one answer between two <|seg|>: its last sentence without
/// the openings and closings above and without punctuation at its ends; empty when nothing is left.
[[nodiscard]] std::string label_phrase(std::string_view words);

/// One label per <|seg|> in `answer`, in order: the phrase between it and the <|seg|> before it.
/// A <|seg|> with no phrase of its own ("the mugs <|seg|> <|seg|>") has the label of the one
/// before; it has none where there is none before.
[[nodiscard]] std::vector<std::optional<std::string>> mask_labels(const Tokenizer& tokenizer,
                                                                  std::span<const TokenId> answer,
                                                                  TokenId seg);

}  // namespace stamp::text
