// SPDX-License-Identifier: Apache-2.0
// Views of the same numbers under other axes: rows, columns, split and merge. Nothing is copied.
#pragma once

#include <stamp/tensor/view.hpp>

namespace stamp {

/// Entries [begin, begin + count) of the first axis.
template <class T, Axis First, Axis... Rest>
[[nodiscard]] View<T, First, Rest...> rows(const View<T, First, Rest...>& view, Index begin,
                                           Index count) {
  if (begin < 0 || count < 0 || begin + count > view.extents()[0]) {
    fail(Fault::usage, "rows: expected a range inside " + describe(view) + ", found " +
                           std::to_string(begin) + " to " + std::to_string(begin + count));
  }
  auto start = view.data() + begin * view.stride();
  return [&]<std::size_t... At>(std::index_sequence<At...>) {
    return View<T, First, Rest...>(start, view.stride(), First{count},
                                   view.template axis_at<At + 1>()...);
  }(std::make_index_sequence<sizeof...(Rest)>{});
}

/// Columns [begin, begin + wanted.size) of a matrix, under a new name.
template <Axis Wanted, class T, Axis Row, Axis Column>
[[nodiscard]] View<T, Row, Wanted> columns(const View<T, Row, Column>& view, Index begin,
                                           Wanted wanted) {
  if (begin < 0 || wanted.size < 0 || begin + wanted.size > view.extents()[1]) {
    fail(Fault::usage, "columns: expected a range inside " + describe(view) + ", found " +
                           std::to_string(begin) + " to " + std::to_string(begin + wanted.size));
  }
  return View<T, Row, Wanted>(view.data() + begin, view.stride(), Row{view.extents()[0]}, wanted);
}

/// (Row, Column) read as (Row, outer, inner) where outer · inner = Column.
template <Axis Outer, Axis Inner, class T, Axis Row, Axis Column>
[[nodiscard]] View<T, Row, Outer, Inner> split(const View<T, Row, Column>& view, Outer outer,
                                               Inner inner) {
  check_extent("split", Column{outer.size * inner.size}, Column{view.extents()[1]});
  return View<T, Row, Outer, Inner>(view.data(), view.stride(), Row{view.extents()[0]}, outer,
                                    inner);
}

/// (Row, Outer, Inner) read as (Row, Column) with Column = Outer · Inner.
template <Axis Column, class T, Axis Row, Axis Outer, Axis Inner>
[[nodiscard]] View<T, Row, Column> merge(const View<T, Row, Outer, Inner>& view) {
  return View<T, Row, Column>(view.data(), view.stride(), Row{view.extents()[0]},
                              Column{view.extents()[1] * view.extents()[2]});
}

/// A dense matrix read with `group` consecutive rows side by side: (Row/group, Column·group).
template <Axis NewRow, Axis NewColumn, class T, Axis Row, Axis Column>
[[nodiscard]] View<T, NewRow, NewColumn> group_rows(const View<T, Row, Column>& view, Index group) {
  if (group <= 0 || view.extents()[0] % group != 0 || !view.dense()) {
    fail(Fault::usage, "group_rows: expected a dense matrix whose rows divide by " +
                           std::to_string(group) + ", found " + describe(view));
  }
  return View<T, NewRow, NewColumn>(view.data(), NewRow{view.extents()[0] / group},
                                    NewColumn{view.extents()[1] * group});
}

/// The same numbers under other axis names of the same extents.
template <Axis... Wanted, class T, Axis... Axes>
[[nodiscard]] View<T, Wanted...> rename(const View<T, Axes...>& view) {
  static_assert(sizeof...(Wanted) == sizeof...(Axes), "rename keeps the number of axes");
  return [&]<std::size_t... At>(std::index_sequence<At...>) {
    return View<T, Wanted...>(view.data(), view.stride(), Wanted{view.extents()[At]}...);
  }(std::make_index_sequence<sizeof...(Axes)>{});
}

}  // namespace stamp
