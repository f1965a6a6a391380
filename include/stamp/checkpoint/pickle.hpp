// SPDX-License-Identifier: Apache-2.0
// What a pickle says, as data: a graph of values that refer to each other by number, and the bounds
// on what an untrusted one may ask for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// What a name of a Python module may be used for.
enum class GlobalUse { as_name, as_call, as_dictionary };

/// A name that a pickle may mention. `as_dictionary`: a call without arguments is an empty one.
struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  GlobalUse use = GlobalUse::as_name;
};

/// What a value is.
enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dictionary,
  global,
  persistent,
  call
};

/// As an error says it: "a dictionary".
[[nodiscard]] constexpr std::string_view name_of(PickleKind kind) {
  constexpr std::array<std::string_view, 11> names{
      "None",   "a boolean",    "an integer",   "a real number", "text",         "a tuple",
      "a list", "a dictionary", "a class name", "a storage",     "a tensor call"};
  return names[static_cast<std::size_t>(kind)];
}

/// Place of a value in `Pickle::values`.
using PickleId = std::uint32_t;

/// One value. Others are referred to by their place, so that neither depth nor cycles cost stack.
struct PickleValue {
  PickleKind kind = PickleKind::none;
  std::int64_t integer = 0;  ///< integer, boolean; global: its place in the list of allowed ones
  std::string_view text{};   ///< in the pickle's own bytes
  /// tuple, list: elements; dictionary: key, value, key, ...; persistent: its id; call: who, with.
  std::vector<PickleId> items{};
};

/// A pickle that was read: its values, and which of them is the whole. Texts point into its bytes.
struct Pickle {
  std::vector<PickleValue> values;
  PickleId root = 0;
  std::size_t end = 0;  ///< the byte after STOP

  [[nodiscard]] const PickleValue& at(PickleId id) const { return values[id]; }
};

/// Bounds on what an untrusted pickle may ask for.
struct PickleLimits {
  std::size_t bytes = std::size_t{64} << 20U;
  std::size_t values = std::size_t{1} << 21U;
  std::size_t stack = std::size_t{1} << 20U;
  std::size_t memo = std::size_t{1} << 21U;
  std::size_t depth = 256;
  std::size_t name_bytes = 256;  ///< of a global
};

}  // namespace stamp::checkpoint
