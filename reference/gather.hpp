// SPDX-License-Identifier: Apache-2.0
// Rows by number: y[i] = x[index[i]], zeros where the number is negative.
#pragma once

#include <algorithm>
#include <stamp/reference/memory.hpp>

namespace stamp::reference {

/// requirement::HasGatherRows; Error{usage} names an index that has no row.
template <Element T, Axis R, Axis A, Axis S>
void gather_rows(Engine<T>&, View<T, R, A> y, View<const T, S, A> x, In<std::int32_t, R> index) {
  check_extent("gather_rows", y.template axis_at<0>(), index.template axis_at<0>());
  check_extent("gather_rows", y.template axis_at<1>(), x.template axis_at<1>());
  for (Index row = 0; row < y.extents()[0]; ++row) {
    const Index from = index[row];
    T* const to = y.data() + row * y.stride();
    if (from >= x.extents()[0]) {
      fail(Fault::usage, "gather_rows: row " + std::to_string(row) + ": expected an index below " +
                             std::to_string(x.extents()[0]) + ", found " + std::to_string(from));
    }
    if (from < 0) {
      std::fill(to, to + y.extents()[1], narrow<T>(0));
    } else {
      std::copy(x[from].data(), x[from].data() + y.extents()[1], to);
    }
  }
}

}  // namespace stamp::reference
