// SPDX-License-Identifier: Apache-2.0
// Stored numbers, of any float type and at any address, as numbers to compute with.
#pragma once

#include <concepts>
#include <cstring>
#include <stamp/tensor/half.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>

namespace stamp {

/// Reads `count` stored numbers from element `begin` into `to`, exactly.
template <std::floating_point Number>
void widen_stored(const StoredTensor& stored, Index begin, Index count, Number* to) {
  const auto read = [&]<class T>(T) {
    const std::byte* from = stored.data + begin * static_cast<Index>(sizeof(T));
    for (Index at = 0; at < count; ++at) {
      T value{};  // the file promises no alignment
      std::memcpy(static_cast<void*>(&value), from + at * static_cast<Index>(sizeof(T)), sizeof(T));
      to[at] = static_cast<Number>(static_cast<Accumulator<T>>(value));
    }
  };
  switch (stored.type) {
    case ElementType::float32:
      return read(float{});
    case ElementType::float64:
      return read(double{});
    case ElementType::float16:
      return read(half{});
    case ElementType::bfloat16:
      return read(bfloat16{});
    case ElementType::int32:
    case ElementType::int64:
      break;
  }
  fail(Fault::input,
       "weight: expected a floating-point type, found " + std::string(name_of(stored.type)));
}

}  // namespace stamp
