// SPDX-License-Identifier: Apache-2.0
// Rows of the embedding table, one a token.
#pragma once

#include <stamp/reference/memory.hpp>

namespace stamp::reference {

/// requirement::HasEmbed; Error{usage} names an id that has no row.
template <Element T, Axis R, Axis V, Axis A>
void embed(Engine<T>&, View<T, R, A> y, const Matrix<V, A>& table,
           std::span<const std::int32_t> ids) {
  using Number = Accumulator<T>;
  check_extent("embed", R{static_cast<Index>(ids.size())}, y.template axis_at<0>());
  check_extent("embed", table.in, y.template axis_at<1>());
  std::vector<Number> row(static_cast<std::size_t>(table.in.size));
  for (Index token = 0; token < y.extents()[0]; ++token) {
    const Index id = ids[static_cast<std::size_t>(token)];
    if (id < 0 || id >= table.out.size) {
      fail(Fault::usage, "embed: token " + std::to_string(token) + ": expected an id below " +
                             std::to_string(table.out.size) + ", found " + std::to_string(id));
    }
    widen_stored(table.stored, id * table.in.size, table.in.size, row.data());
    for (Index at = 0; at < table.in.size; ++at) {
      y.data()[token * y.stride() + at] = narrow<T>(row[static_cast<std::size_t>(at)]);
    }
  }
}

}  // namespace stamp::reference
