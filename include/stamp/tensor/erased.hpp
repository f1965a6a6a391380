// SPDX-License-Identifier: Apache-2.0
// Views whose axes have been checked and no longer matter: behind the door of an operation one
// instantiation serves all axes.
#pragma once

#include <stamp/tensor/view.hpp>

namespace stamp {

/// A matrix; rows are dense and `stride` apart.
template <class T>
struct Erased {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index stride = 0;
  [[nodiscard]] T* row(Index at) const { return data + at * stride; }
};
template <class T, Axis R, Axis C>
[[nodiscard]] Erased<T> erase(View<T, R, C> view) {
  return {view.data(), view.extents()[0], view.extents()[1], view.stride()};
}

/// [Rows, Heads, HeadDim].
template <class T>
struct ErasedHeads {
  T* data;
  Index rows;
  Index heads;
  Index dim;
  Index stride;
};
template <class T, Axis R, Axis H, Axis D>
[[nodiscard]] ErasedHeads<T> erase(View<T, R, H, D> view) {
  return {view.data(), view.extents()[0], view.extents()[1], view.extents()[2], view.stride()};
}

}  // namespace stamp
