// SPDX-License-Identifier: Apache-2.0
// The opcodes of Python's pickle by name: those that are read, and all others for messages.
// Mirrors the list at the end of CPython's Lib/pickle.py, protocols 0 to 5.
#pragma once

#include <cstdint>
#include <string>

namespace stamp::checkpoint {

/// The opcodes that a dictionary of tensors needs.
enum class Opcode : std::uint8_t {
  proto = 0x80,
  stop = '.',
  mark = '(',
  none = 'N',
  new_true = 0x88,
  new_false = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8a,
  binfloat = 'G',
  binunicode = 'X',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_list = ']',
  append = 'a',
  appends = 'e',
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  global = 'c',
  binpersid = 'Q',
  reduce = 'R',
  build = 'b',
  binput = 'q',
  long_binput = 'r',
  binget = 'h',
  long_binget = 'j',
};

/// "STACK_GLOBAL (0x93)"; "unknown (0xff)" for a byte that is no opcode.
[[nodiscard]] std::string opcode_label(std::uint8_t code);

}  // namespace stamp::checkpoint
