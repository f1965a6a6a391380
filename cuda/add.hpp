// SPDX-License-Identifier: Apache-2.0
// The residual connection y += x, and plain copies, on the device.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

namespace detail {
/// All axes but the first side by side.
template <class T, Axis... Axes>
[[nodiscard]] Erased<T> as_rows(const View<T, Axes...>& view) {
  return {view.data(), view.extents()[0], view.row_size(), view.stride()};
}
}  // namespace detail

/// requirement::HasAdd
template <DeviceElement T, Axis... Axes>
void add(Engine<T>& engine, View<T, Axes...> y, In<T, Axes...> x) {
  check_same_shape("add", y, x);
  kernel::add<T>(engine.device().stream(), detail::as_rows(y), detail::as_rows(x));
}

/// z = x + y (ops/fused.hpp)
template <DeviceElement T, Axis R, Axis A, class X, class Y>
void sum(Engine<T>& engine, View<T, R, A> z, const X& x, const Y& y) {
  const In<T, R, A> one = x;
  const In<T, R, A> other = y;
  check_same_shape("sum", z, one);
  check_same_shape("sum", z, other);
  kernel::sum<T>(engine.device().stream(), erase(z), erase(one), erase(other));
}

/// requirement::HasCopy
template <DeviceElement T, Axis... Axes>
void copy(Engine<T>& engine, View<T, Axes...> y, In<T, Axes...> x) {
  check_same_shape("copy", y, x);
  kernel::copy<T>(engine.device().stream(), detail::as_rows(y), detail::as_rows(x));
}

}  // namespace stamp::cuda
