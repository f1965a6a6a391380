// SPDX-License-Identifier: Apache-2.0
// How the reference backend keeps weights: a matrix stays where it is stored (a memory map, any
// float type) and is widened a panel of rows at a time; vectors are small and kept widened.
#pragma once

#include <cstdint>
#include <cstring>
#include <stamp/tensor/half.hpp>
#include <stamp/tensor/stored.hpp>
#include <stamp/tensor/tensor.hpp>

namespace stamp::reference {

/// Weight [Out, In] in its stored form.
template <Axis Out, Axis In>
struct Matrix {
  StoredTensor stored;
  Out out{0};
  In in{0};
};

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

/// The stored numbers themselves where they already are aligned Numbers, else null.
template <std::floating_point Number>
[[nodiscard]] const Number* as_stored(const StoredTensor& stored) {
  const bool same = (std::same_as<Number, float> && stored.type == ElementType::float32) ||
                    (std::same_as<Number, double> && stored.type == ElementType::float64);
  const bool aligned = reinterpret_cast<std::uintptr_t>(stored.data) % alignof(Number) == 0;
  return same && aligned ? reinterpret_cast<const Number*>(stored.data) : nullptr;
}

}  // namespace stamp::reference
