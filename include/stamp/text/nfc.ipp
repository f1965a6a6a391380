// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/nfc.hpp>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stamp/text/nfc.hpp>
#include <vector>

namespace stamp::text {

namespace detail {

[[nodiscard]] inline int combining_class(utf8proc_int32_t point) {
  return utf8proc_get_property(point)->combining_class;
}

/// Canonical ordering: marks between two starters, stably by class. utf8proc's own ordering swaps
/// neighbours and needs n² steps for n marks, so that a prompt of marks could stop the program.
inline void order_marks(std::vector<utf8proc_int32_t>& points) {
  struct Mark {
    int order;
    std::size_t place;
    utf8proc_int32_t point;
  };
  std::vector<Mark> marks;
  for (std::size_t begin = 0; begin < points.size(); ++begin) {
    marks.clear();
    for (std::size_t at = begin; at < points.size(); ++at) {
      const int order = combining_class(points[at]);
      if (order == 0) break;
      marks.push_back({order, at, points[at]});
    }
    if (marks.size() > 1) {  // the place makes it stable
      std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) {
        return a.order != b.order ? a.order < b.order : a.place < b.place;
      });
    }
    for (std::size_t at = 0; at < marks.size(); ++at) points[begin + at] = marks[at].point;
    begin += marks.size();  // and the starter behind them
  }
}

/// Orders and composes the decomposed `points`, appends them to `text` and empties them.
inline void flush_composed(std::vector<utf8proc_int32_t>& points, std::string& text) {
  if (points.empty()) return;
  order_marks(points);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t length = utf8proc_normalize_utf32(
      points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
  if (length < 0) fail(Fault::failure, std::string("utf8proc: ") + utf8proc_errmsg(length));
  for (utf8proc_ssize_t at = 0; at < length; ++at) {
    append_utf8(text, static_cast<char32_t>(points[static_cast<std::size_t>(at)]));
  }
  points.clear();
}

}  // namespace detail

std::string nfc(std::string_view text) {
  // Everything below U+0300, whose UTF-8 starts with 0xCC, is in form C and combines with nothing.
  if (std::all_of(text.begin(), text.end(),
                  [](char byte) { return static_cast<unsigned char>(byte) < 0xCC; })) {
    return std::string(text);
  }
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  constexpr utf8proc_ssize_t longest = 8;  // no canonical decomposition has more than 4
  std::string normal;
  normal.reserve(text.size());
  std::vector<utf8proc_int32_t> points;
  while (!text.empty()) {
    const char32_t point = front_code_point(text);
    text.remove_prefix(utf8_length(text.substr(0, 4)));
    if (contains(normalised_after_unicode_9, point)) {
      detail::flush_composed(points, normal);
      append_utf8(normal, point);
      continue;
    }
    utf8proc_int32_t parts[longest];
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point),
                                                           parts, longest, options, &boundary);
    if (count < 0 || count > longest) fail(Fault::failure, "utf8proc: no decomposition");
    points.insert(points.end(), parts, parts + count);
  }
  detail::flush_composed(points, normal);
  return normal;
}

}  // namespace stamp::text
