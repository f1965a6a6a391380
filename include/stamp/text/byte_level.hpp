// SPDX-License-Identifier: Apache-2.0
// The byte-level alphabet: every byte has a printable character, so that any text has a spelling.
// Mirrors GPT-2's bytes_to_unicode and `ByteLevel` of Hugging Face `tokenizers`.
#pragma once

#include <array>
#include <stamp/text/utf8.hpp>
#include <string>
#include <string_view>

namespace stamp::text {

/// Character of each byte: printable Latin-1 stands for itself, the other 68 follow from U+0100 on.
inline constexpr std::array<char32_t, 256> byte_characters = [] {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    characters[byte] = printable ? byte : next++;
  }
  return characters;
}();

/// How a vocabulary file spells `bytes`: a space becomes U+0120, and so on.
[[nodiscard]] std::string byte_level_spelling(std::string_view bytes);

/// The bytes that `spelling` (valid UTF-8) stands for. One that has a character outside of the
/// alphabet stands for itself, as an added token with a space in it does.
[[nodiscard]] std::string bytes_of_spelling(std::string_view spelling);

}  // namespace stamp::text
