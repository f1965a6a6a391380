// SPDX-License-Identifier: Apache-2.0
// Reading little-endian numbers and strings from untrusted bytes, front to back. Lengths are
// compared with what is left, never added first.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace stamp::checkpoint {

/// A place in `bytes`, which it only refers to. What reaches past the end throws Error{input}
/// "WHERE: WHAT at byte K: expected N bytes, M are left; truncated download?".
class ByteCursor {
 public:
  /// `position` must be at most the number of bytes.
  ByteCursor(std::span<const std::byte> bytes, std::string where, std::size_t position = 0)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
        where_(std::move(where)),
        position_(position) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return text_.size() - position_; }
  [[nodiscard]] const std::string& where() const { return where_; }
  /// What has not been read yet.
  [[nodiscard]] std::string_view rest() const { return text_.substr(position_); }

  /// The next `count` bytes; the view lives as long as they do.
  [[nodiscard]] std::string_view take(std::size_t count, std::string_view what);
  void skip(std::size_t count, std::string_view what) { (void)take(count, what); }

  template <std::unsigned_integral Number>
  [[nodiscard]] Number number(std::string_view what) {
    Number value = 0;
    std::size_t shift = 0;
    for (const char byte : take(sizeof(Number), what)) {
      value = static_cast<Number>(value | static_cast<Number>(static_cast<unsigned char>(byte))
                                              << shift);
      shift += 8;
    }
    return value;
  }

 private:
  std::string_view text_;
  std::string where_;
  std::size_t position_;
};

}  // namespace stamp::checkpoint
