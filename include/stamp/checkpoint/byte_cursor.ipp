// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/byte_cursor.hpp>.
#pragma once

#include <stamp/checkpoint/byte_cursor.hpp>

namespace stamp::checkpoint {

std::string_view ByteCursor::take(std::size_t count, std::string_view what) {
  if (count > left()) {
    fail(Fault::input, where_ + ": " + std::string(what) + " at byte " + std::to_string(position_) +
                           ": expected " + std::to_string(count) + " bytes, " +
                           std::to_string(left()) + " are left; truncated download?");
  }
  const std::string_view taken = text_.substr(position_, count);
  position_ += count;
  return taken;
}

}  // namespace stamp::checkpoint
