// SPDX-License-Identifier: Apache-2.0
// UTF-8 of prompts and answers: refused where a person wrote it, mended where a model wrote it.
// Mirrors Rust's String::from_utf8_lossy, through which Hugging Face `tokenizers` decodes.
#pragma once

#include <cstddef>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

namespace stamp::text {

using checkpoint::first_invalid_utf8;
using checkpoint::printable;
using checkpoint::utf8_length;

/// Throws Error{input} "WHAT is not UTF-8 at byte K"; a prompt is never mended silently.
void require_utf8(std::string_view text, std::string_view what);

/// The code point at the front of `text`, which must be valid UTF-8 and not empty.
[[nodiscard]] constexpr char32_t front_code_point(std::string_view text) {
  const auto byte = [&](std::size_t at) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at]));
  };
  switch (utf8_length(text)) {
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    case 4:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
             (byte(3) & 0x3F);
    default:
      return byte(0);
  }
}

/// Bytes of the last code point of `text`, which must be valid UTF-8; 0 when it is empty.
[[nodiscard]] constexpr std::size_t back_length(std::string_view text) {
  std::size_t length = text.empty() ? 0 : 1;
  while (length < text.size() &&
         (static_cast<unsigned char>(text[text.size() - length]) & 0xC0U) == 0x80U) {
    ++length;
  }
  return length;
}

/// Appends `point`, a Unicode scalar value, as UTF-8.
void append_utf8(std::string& text, char32_t point);

/// Bytes at the front of `text`, which is not empty and does not start with a whole sequence, that
/// together become one U+FFFD: the longest part that a valid sequence could start with, else 1.
[[nodiscard]] constexpr std::size_t broken_length(std::string_view text) {
  // A part is a possible start when some continuation bytes complete it; 0x80, 0x90, 0xA0 and 0xBF
  // are enough to satisfy every lead byte's rule for the second byte.
  for (std::size_t length = text.size() < 3 ? text.size() : 3; length > 1; --length) {
    char trial[4] = {text[0], text[1], length > 2 ? text[2] : '\x80', '\x80'};
    for (std::size_t whole = length + 1; whole <= 4; ++whole) {
      if (utf8_length({trial, whole}) == whole) return length;
    }
  }
  return 1;
}

/// Any bytes as UTF-8: every broken sequence becomes one U+FFFD.
[[nodiscard]] std::string lossy_utf8(std::string_view bytes);

/// Bytes at the end of `bytes` (0 to 3) that more bytes may still complete to a code point.
[[nodiscard]] constexpr std::size_t unfinished_tail(std::string_view bytes) {
  for (std::size_t tail = 1; tail <= 3 && tail <= bytes.size(); ++tail) {
    const std::string_view end = bytes.substr(bytes.size() - tail);
    const auto lead = static_cast<unsigned char>(end[0]);
    if ((lead & 0xC0U) == 0x80U) continue;  // look further back for the lead byte
    const bool opens = lead >= 0xC2 && lead <= 0xF4;
    return opens && utf8_length(end) == 0 && broken_length(end) == tail ? tail : 0;
  }
  return 0;
}

/// Text that arrives in pieces which may end inside a code point, as the tokens of an answer do.
/// All that `push` and `finish` return, joined, equals lossy_utf8 of all bytes, joined.
class Utf8Stream {
 public:
  /// What can be shown now; a code point that is not complete yet is held back.
  [[nodiscard]] std::string push(std::string_view bytes);
  /// What was held back, as U+FFFD; the stream is empty afterwards.
  [[nodiscard]] std::string finish();

 private:
  std::string held_;
};

}  // namespace stamp::text
