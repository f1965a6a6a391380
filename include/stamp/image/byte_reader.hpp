// SPDX-License-Identifier: Apache-2.0
// Bounded reads over bytes that nobody vouches for: every read past the end is an Error.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

namespace stamp::detail {

using Bytes = std::span<const std::uint8_t>;

/// A cursor over `bytes`; `what` names them in the sentence "truncated: ...".
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }

  Bytes take(std::size_t count) {
    // Compared with what remains, never added to the position first: the sum could wrap.
    if (count > left()) {
      fail(Fault::input, "truncated " + std::string(what_) + ": " + std::to_string(count) +
                             " bytes needed at byte " + std::to_string(position_) +
                             ", the data end at " + std::to_string(bytes_.size()));
    }
    const Bytes part = bytes_.subspan(position_, count);
    position_ += count;
    return part;
  }

  void seek(std::size_t position) {
    position_ = 0;
    (void)take(position);
  }

  std::uint32_t u8() { return take(1)[0]; }
  std::uint32_t u16_big() {
    const Bytes b = take(2);
    return static_cast<std::uint32_t>(b[0] << 8 | b[1]);
  }
  std::uint32_t u16_little() {
    const Bytes b = take(2);
    return static_cast<std::uint32_t>(b[1] << 8 | b[0]);
  }
  std::uint32_t u32_big() {
    const std::uint32_t high = u16_big();
    return high << 16 | u16_big();
  }
  std::uint32_t u32_little() {
    const std::uint32_t low = u16_little();
    return u16_little() << 16 | low;
  }

 private:
  Bytes bytes_;
  std::string_view what_;
  std::size_t position_ = 0;
};

}  // namespace stamp::detail
