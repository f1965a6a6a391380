// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/tokenizer.hpp>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stamp/text/tokenizer.hpp>
#include <utility>

namespace stamp::text {

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
  special_.resize(parts_.vocabulary.rows());
  for (const AddedToken& token : parts_.added) {
    special_[static_cast<std::size_t>(token.id)] = token.special;
    const bool late = token.normalized && parts_.normalizer == Normalizer::nfc;
    (token.normalized ? normalized_ : verbatim_)
        .add(token, late ? nfc(token.content) : token.content);
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    bytes_[byte] =
        parts_.vocabulary.find(byte_level_spelling(std::string(1, static_cast<char>(byte))));
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens reading,
                                       std::string_view what) const {
  require_utf8(text, what);
  std::vector<TokenId> ids;
  const auto found = [&](TokenId id) { ids.push_back(id); };
  std::vector<TokenId> word_ids;
  const auto word = [&](std::string_view bytes) { encode_word(bytes, word_ids, ids); };
  const auto ordinary = [&](std::string_view piece) { parts_.words.split(piece, word); };
  verbatim_.split(text, reading, found, [&](std::string_view piece) {
    if (parts_.normalizer == Normalizer::none) {
      normalized_.split(piece, reading, found, ordinary);
    } else {
      normalized_.split(nfc(piece), reading, found, ordinary);
    }
  });
  return ids;
}

std::string Tokenizer::decode_bytes(std::span<const TokenId> ids, Decoding decoding) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (decoding == Decoding::keep_special || !is_special(id)) bytes += this->bytes(id);
  }
  return bytes;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, Decoding decoding) const {
  return lossy_utf8(decode_bytes(ids, decoding));
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < special_.size() &&
         special_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> Tokenizer::token_id(std::string_view spelling) const {
  return parts_.vocabulary.find(spelling);
}

TokenId Tokenizer::require_added(std::string_view content) const {
  for (const AddedToken& token : parts_.added) {
    if (token.content == content) return token.id;
  }
  fail(Fault::input, parts_.source + ": no added token " + in_quotes(content) +
                         ": expected it, found " + std::to_string(parts_.added.size()) + " others");
}

void Tokenizer::require_rows(Index rows, std::string_view embedding) const {
  if (vocab_size() <= rows) return;
  const auto first = static_cast<TokenId>(std::max<Index>(rows, 0));
  fail(Fault::input, parts_.source + ": " + std::to_string(vocab_size()) +
                         " ids, expected at most the " + std::to_string(rows) + " rows of " +
                         std::string(embedding) + ": the first too many is " +
                         in_quotes(bytes(first)) + ", id " + std::to_string(first));
}

void Tokenizer::encode_word(std::string_view word, std::vector<TokenId>& symbols,
                            std::vector<TokenId>& ids) const {
  symbols.clear();
  for (const char byte : word) {
    const auto& id = bytes_[static_cast<unsigned char>(byte)];
    if (id) symbols.push_back(*id);
  }
  parts_.merges.encode(symbols, ids);
}

}  // namespace stamp::text
