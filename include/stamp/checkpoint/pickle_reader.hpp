// SPDX-License-Identifier: Apache-2.0
// Reads the part of Python's pickle that a dictionary of tensors uses, as data.
// Nothing is ever executed; a call is kept as the name that would be called, and its arguments.
#pragma once

#include <span>
#include <stamp/checkpoint/byte_cursor.hpp>
#include <stamp/checkpoint/pickle_opcodes.hpp>
#include <stamp/checkpoint/pickle_stack.hpp>
#include <stamp/checkpoint/utf8.hpp>
#include <string>

namespace stamp::checkpoint {

/// The pickle that begins at byte `begin` of `bytes`, to which the result refers. Throws
/// Error{input} "WHERE: byte K: WHAT" for every opcode and every global that is not expected, and
/// for whatever is out of place or beyond the limits.
[[nodiscard]] Pickle read_pickle(std::span<const std::byte> bytes, std::size_t begin,
                                 std::string where, std::span<const PickleGlobal> allowed,
                                 PickleLimits limits = {});

}  // namespace stamp::checkpoint
