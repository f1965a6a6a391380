// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in the text before any word is: `<|im_end|>`, `<|seg|>` and their like.
// Mirrors AddedVocabulary of Hugging Face `tokenizers`: the leftmost match, of these the longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stamp/text/nfc.hpp>
#include <stamp/text/unicode.hpp>
#include <stamp/text/utf8.hpp>
#include <stamp/text/vocabulary.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stamp::text {

/// What special tokens that stand in a text are. User text is `as_text`: a person who types
/// "<|seg|>" gets those seven characters. `as_control` is what Hugging Face does by default.
enum class SpecialTokens { as_text, as_control };

/// One entry of `added_tokens`, members named as in tokenizer.json.
struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;      ///< a control token, left out of decoded text
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool single_word = false;  ///< not inside of a word
  bool normalized = false;   ///< looked for after normalisation, else before

  /// Whether user text must not produce it: special by its flag or, should a file have forgotten
  /// the flag, by its form.
  [[nodiscard]] bool is_control() const;
};

/// The added tokens that are looked for at one stage, before or after normalisation.
class AddedTokens {
 public:
  /// Makes `token` findable under `pattern`, which is not empty.
  void add(AddedToken token, std::string_view pattern);

  /// Cuts `text` (valid UTF-8) in order into tokens, `found(TokenId)`, and what is between them,
  /// `between(std::string_view)`.
  template <class Found, class Between>
  void split(std::string_view text, SpecialTokens reading, Found found, Between between) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::optional<Match> match = longest_at(text, at);
      if (!match) {
        ++at;
        continue;
      }
      std::size_t begin = at;
      at = match->end;  // also where the match is refused below: upstream goes on behind it
      const AddedToken& token = *match->token;
      if (reading == SpecialTokens::as_text && token.is_control()) continue;
      if (token.single_word && touches_word(text, begin, at)) continue;
      std::size_t end = at;
      if (token.lstrip) begin = skip_space_back(text, begin, done);
      if (token.rstrip) end = skip_space(text, end);
      if (begin > done) between(text.substr(done, begin - done));
      found(token.id);
      done = end;
    }
    if (done < text.size()) between(text.substr(done));
  }

 private:
  struct Match {
    const AddedToken* token;
    std::size_t end;
  };

  [[nodiscard]] static std::uint64_t key(std::uint32_t node, char byte);

  [[nodiscard]] std::optional<Match> longest_at(std::string_view text, std::size_t begin) const;

  [[nodiscard]] static bool touches_word(std::string_view text, std::size_t begin, std::size_t end);
  [[nodiscard]] static std::size_t skip_space(std::string_view text, std::size_t at);
  /// Start of the white space that ends at `at`, not before `least`.
  [[nodiscard]] static std::size_t skip_space_back(std::string_view text, std::size_t at,
                                                   std::size_t least);

  // A trie: nodes are numbers, 0 the root; an edge is a node and a byte.
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::unordered_map<std::uint32_t, std::size_t> ends_;  ///< node to the token that ends there
  std::uint32_t node_count_ = 1;
  bool starts_[256] = {};
  std::vector<AddedToken> tokens_;
};

}  // namespace stamp::text
