// SPDX-License-Identifier: Apache-2.0
// The residual connection y += x, and plain copies.
#pragma once

#include <stamp/reference/memory.hpp>

namespace stamp::reference {

namespace detail {
/// body(y element, x element) over two views of one shape.
template <class T, Axis... Axes, class Body>
void pairwise(const char* where, View<T, Axes...> y, View<const T, Axes...> x, const Body& body) {
  check_same_shape(where, y, x);
  for (Index row = 0; row < y.extents()[0]; ++row) {
    for (Index at = 0; at < y.row_size(); ++at) {
      body(y.data()[row * y.stride() + at], x.data()[row * x.stride() + at]);
    }
  }
}
}  // namespace detail

/// requirement::HasAdd
template <Element T, Axis... Axes>
void add(Engine<T>&, View<T, Axes...> y, In<T, Axes...> x) {
  detail::pairwise<T, Axes...>("add", y, x,
                               [](T& a, const T& b) { a = narrow<T>(widen(a) + widen(b)); });
}

/// requirement::HasCopy
template <Element T, Axis... Axes>
void copy(Engine<T>&, View<T, Axes...> y, In<T, Axes...> x) {
  detail::pairwise<T, Axes...>("copy", y, x, [](T& a, const T& b) { a = b; });
}

}  // namespace stamp::reference
