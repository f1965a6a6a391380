// SPDX-License-Identifier: Apache-2.0
// The place of the largest number of each row: greedy decoding.
#pragma once

#include <stamp/ops/fused.hpp>
#include <stamp/reference/memory.hpp>

namespace stamp::reference {

/// The places of the largest numbers (ops/fused.hpp), where they stand.
template <Element T, Axis R, Axis A>
void first_largest(Engine<T>&, std::span<std::int32_t> places, View<T, R, A> x) {
  check_count("first_largest", x.extents()[0], places.size());
  for (Index row = 0; row < x.extents()[0]; ++row) {
    places[static_cast<std::size_t>(row)] = place_of_largest(
        std::span<const T>(x.data() + row * x.stride(), static_cast<std::size_t>(x.extents()[1])));
  }
}

}  // namespace stamp::reference
