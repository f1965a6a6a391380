// SPDX-License-Identifier: Apache-2.0
// Bounded reads over bytes that nobody vouches for: every read past the end is an Error.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string_view>

namespace stamp::detail {

using Bytes = std::span<const std::uint8_t>;

/// A cursor over `bytes`; `what` names them in the sentence "truncated: ...".
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }

  Bytes take(std::size_t count);

  void seek(std::size_t position);

  std::uint32_t u8() { return take(1)[0]; }
  std::uint32_t u16_big();
  std::uint32_t u16_little();
  std::uint32_t u32_big();
  std::uint32_t u32_little();

 private:
  Bytes bytes_;
  std::string_view what_;
  std::size_t position_ = 0;
};

}  // namespace stamp::detail
