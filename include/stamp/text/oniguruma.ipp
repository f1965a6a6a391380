// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/oniguruma.hpp>.
#pragma once

#include <cstddef>
#include <stamp/text/oniguruma.hpp>

namespace stamp::text {

namespace detail {

/// Reads the pattern from left to right and writes PCRE2's; see pcre2_pattern.
class OnigurumaReader {
 public:
  OnigurumaReader(std::string_view pattern, std::string_view where)
      : pattern_(pattern), where_(where) {}

  [[nodiscard]] std::string read() {
    while (at_ < pattern_.size()) {
      switch (pattern_[at_]) {
        case '\\':
          escape(Place::outside);
          break;
        case '[':
          bracket();
          break;
        case '(':
          group();
          break;
        case '{':
          if (starts("{,")) refuse("{,");  // a number of times in one engine, text in the other
          take(1);
          break;
        case '}':
          if (starts("}+")) refuse("}+");  // possessive in one engine only
          take(1);
          break;
        case '^':
        case '$':
        case '.':
          refuse(pattern_.substr(at_, 1));  // they treat the ends of lines differently
        default:
          take(1);
      }
    }
    return out_;
  }

 private:
  enum class Place { outside, in_class };

  [[nodiscard]] bool starts(std::string_view words) const {
    return pattern_.substr(at_).starts_with(words);
  }
  void take(std::size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }
  [[noreturn]] void refuse(std::string_view what) const {
    fail(Fault::input, std::string(where_) + ": the pattern has \"" + printable(what) +
                           "\" at byte " + std::to_string(at_) +
                           ": expected only what Oniguruma and PCRE2 read alike");
  }

  /// `members`, which belong inside brackets, in brackets when they stand outside.
  void set(const std::string& members, Place place, bool negated) {
    if (place == Place::in_class && negated) refuse(pattern_.substr(at_, 5));
    out_ += place == Place::in_class ? members : (negated ? "[^" : "[") + members + "]";
  }

  template <std::size_t count>
  [[nodiscard]] static std::string members(const CodePoints (&ranges)[count]) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto hexadecimal = [&](char32_t point) {
      std::string number;
      for (int shift = 20; shift >= 0; shift -= 4) number += digits[point >> shift & 15];
      return "\\x{" + number + "}";
    };
    std::string text;
    for (const CodePoints& range : ranges) {
      text += hexadecimal(range.first) + "-" + hexadecimal(range.last);
    }
    return text;
  }

  void escape(Place place) {
    const char named = at_ + 1 < pattern_.size() ? pattern_[at_ + 1] : '\0';
    if (named == 's' || named == 'S') {
      set(members(white_space), place, named == 'S');
      at_ += 2;
    } else if (starts("\\p{L}") || starts("\\P{L}")) {
      set("\\p{L}" + members(letters_after_unicode_14), place, named == 'P');
      at_ += 5;
    } else if (starts("\\p{N}") || starts("\\P{N}")) {
      set("\\p{N}" + members(numbers_after_unicode_14), place, named == 'P');
      at_ += 5;
    } else if (named == 'r' || named == 'n' || named == 't' || is_punctuation(named)) {
      take(2);
    } else {
      refuse(pattern_.substr(at_, 2));
    }
  }

  [[nodiscard]] static bool is_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }

  void bracket() {
    take(starts("[^") ? 2 : 1);
    if (starts("]")) refuse("[]");
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      if (pattern_[at_] == '\\') {
        escape(Place::in_class);
      } else if (pattern_[at_] == '[' || starts("&&")) {
        refuse(pattern_.substr(at_, 2));  // nested sets and intersections are Oniguruma's
      } else {
        take(1);
      }
    }
    if (at_ == pattern_.size()) refuse("[");
    take(1);
  }

  void group() {
    if (starts("(*")) refuse("(*");
    if (!starts("(?")) return take(1);
    for (const std::string_view known : {"(?i:", "(?:", "(?!", "(?=", "(?<!", "(?<=", "(?>"}) {
      if (starts(known)) return take(known.size());
    }
    refuse(pattern_.substr(at_, 4));
  }

  std::string_view pattern_;
  std::string_view where_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace detail

std::string pcre2_pattern(std::string_view pattern, std::string_view where) {
  constexpr std::size_t longest = 4096;
  if (pattern.size() > longest) {
    fail(Fault::input, std::string(where) + ": the pattern has " + std::to_string(pattern.size()) +
                           " bytes, expected at most " + std::to_string(longest));
  }
  return detail::OnigurumaReader(pattern, where).read();
}

}  // namespace stamp::text
