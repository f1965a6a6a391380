// SPDX-License-Identifier: Apache-2.0
// How the reference backend keeps weights: a matrix stays where it is stored (a memory map, any
// float type) and is widened a panel of rows at a time; vectors are small and kept widened.
#pragma once

#include <cstdint>
#include <stamp/tensor/tensor.hpp>
#include <stamp/tensor/widen_stored.hpp>

namespace stamp::reference {

/// Weight [Out, In] in its stored form.
template <Axis Out, Axis In>
struct Matrix {
  StoredTensor stored;
  Out out{0};
  In in{0};
};

/// The stored numbers themselves where they already are aligned Numbers, else null.
template <std::floating_point Number>
[[nodiscard]] const Number* as_stored(const StoredTensor& stored) {
  const bool same = (std::same_as<Number, float> && stored.type == ElementType::float32) ||
                    (std::same_as<Number, double> && stored.type == ElementType::float64);
  const bool aligned = reinterpret_cast<std::uintptr_t>(stored.data) % alignof(Number) == 0;
  return same && aligned ? reinterpret_cast<const Number*>(stored.data) : nullptr;
}

}  // namespace stamp::reference
