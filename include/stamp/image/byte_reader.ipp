// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/byte_reader.hpp>.
#pragma once

#include <stamp/image/byte_reader.hpp>
#include <string>

namespace stamp::detail {

Bytes ByteReader::take(std::size_t count) {
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

void ByteReader::seek(std::size_t position) {
  position_ = 0;
  (void)take(position);
}

std::uint32_t ByteReader::u16_big() {
  const Bytes b = take(2);
  return static_cast<std::uint32_t>(b[0] << 8 | b[1]);
}

std::uint32_t ByteReader::u16_little() {
  const Bytes b = take(2);
  return static_cast<std::uint32_t>(b[1] << 8 | b[0]);
}

std::uint32_t ByteReader::u32_big() {
  const std::uint32_t high = u16_big();
  return high << 16 | u16_big();
}

std::uint32_t ByteReader::u32_little() {
  const std::uint32_t low = u16_little();
  return u16_little() << 16 | low;
}

}  // namespace stamp::detail
