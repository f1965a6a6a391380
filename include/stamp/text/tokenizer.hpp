// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, exactly as Hugging Face `tokenizers` does it for byte-level BPE.
// Order: added tokens, normalisation, added tokens of the normalised kind, words, bytes, merges.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <stamp/tensor/check.hpp>
#include <stamp/text/added_tokens.hpp>
#include <stamp/text/byte_level.hpp>
#include <stamp/text/byte_pair.hpp>
#include <stamp/text/nfc.hpp>
#include <stamp/text/pre_tokenizer.hpp>
#include <stamp/text/utf8.hpp>
#include <stamp/text/vocabulary.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::text {

/// What decoding does with special tokens; the released STAMP code skips them.
enum class Decoding { keep_special, skip_special };

/// How text is normalised before words are cut.
enum class Normalizer { none, nfc };

/// Everything that a tokenizer is made of; filled by tokenizer_file.hpp.
struct TokenizerParts {
  std::string source;     ///< file or folder that it came from, for messages
  Vocabulary vocabulary;  ///< the model's entries and the added tokens
  BytePair merges;
  PreTokenizer words;
  Normalizer normalizer = Normalizer::nfc;
  std::vector<AddedToken> added;  ///< each is in the vocabulary, too
};

/// Immutable after construction: any number of threads may use one Tokenizer at a time.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerParts parts);

  /// Token ids of `text`. Time O(n log n) whatever the text; a byte that the vocabulary has no
  /// entry for gives no token, as upstream. Throws Error{input} "WHAT is not UTF-8 at byte K".
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, SpecialTokens reading,
                                            std::string_view what = "text") const;

  /// The bytes of `ids`, joined; an answer may end inside a code point. Unknown ids give nothing.
  [[nodiscard]] std::string decode_bytes(std::span<const TokenId> ids, Decoding decoding) const;
  /// The text of `ids`; what is not UTF-8 in it becomes U+FFFD.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, Decoding decoding) const;

  /// The bytes of one token, for Utf8Stream; empty when there is no such id.
  [[nodiscard]] std::string_view bytes(TokenId id) const { return parts_.vocabulary.bytes(id); }
  [[nodiscard]] bool is_special(TokenId id) const;

  /// Id of an entry as the file spells it: "<|seg|>", or "Ġthe" for " the".
  [[nodiscard]] std::optional<TokenId> token_id(std::string_view spelling) const;
  /// Id of an added token; throws Error{input} naming the file when it has none.
  [[nodiscard]] TokenId require_added(std::string_view content) const;
  /// Throws Error{input} when an id has no row in an embedding of `rows` rows, called `embedding`.
  void require_rows(Index rows, std::string_view embedding) const;

  /// One more than the largest id.
  [[nodiscard]] Index vocab_size() const { return static_cast<Index>(parts_.vocabulary.rows()); }
  /// Number of entries, added tokens included.
  [[nodiscard]] Index size() const { return static_cast<Index>(parts_.vocabulary.size()); }
  [[nodiscard]] std::span<const AddedToken> added_tokens() const { return parts_.added; }
  [[nodiscard]] const std::string& source() const { return parts_.source; }

 private:
  /// `symbols` is scratch that keeps its memory from word to word.
  void encode_word(std::string_view word, std::vector<TokenId>& symbols,
                   std::vector<TokenId>& ids) const;

  TokenizerParts parts_;
  AddedTokens verbatim_;    ///< found in the text as it is
  AddedTokens normalized_;  ///< found in the normalised text
  std::vector<bool> special_;
  std::array<std::optional<TokenId>, 256> bytes_;  ///< id of every single byte
};

}  // namespace stamp::text
