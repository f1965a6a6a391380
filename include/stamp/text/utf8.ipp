// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/utf8.hpp>.
#pragma once

#include <stamp/text/utf8.hpp>

namespace stamp::text {

void require_utf8(std::string_view text, std::string_view what) {
  if (const auto bad = first_invalid_utf8(text)) {
    fail(Fault::input, std::string(what) + " is not UTF-8 at byte " + std::to_string(*bad) +
                           ": expected UTF-8, found the byte \"" + printable(text.substr(*bad, 1)) +
                           "\"");
  }
}

void append_utf8(std::string& text, char32_t point) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t whole = utf8_length(bytes.substr(0, 4));
    if (whole > 0) {
      text += bytes.substr(0, whole);
      bytes.remove_prefix(whole);
    } else {
      text += "\uFFFD";
      bytes.remove_prefix(broken_length(bytes));
    }
  }
  return text;
}

std::string Utf8Stream::push(std::string_view bytes) {
  held_ += bytes;
  const std::size_t ready = held_.size() - unfinished_tail(held_);
  std::string shown = lossy_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return shown;
}

std::string Utf8Stream::finish() {
  std::string shown = lossy_utf8(held_);
  held_.clear();
  return shown;
}

}  // namespace stamp::text
