// SPDX-License-Identifier: Apache-2.0
// A matrix of codes panel by panel of its outputs, so that what is widened for a product of many
// rows stays small.
#pragma once

#include <algorithm>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

/// Numbers of a widened panel, 32 MiB in bfloat16: the device's cache may hold it from the kernel
/// that writes it to the product that reads it.
inline constexpr Index panel_numbers = Index{16} << 20U;

/// Panels of about equal height, whole multiples of 128 outputs but for the last one.
struct OutputPanels {
  Index out = 0;
  Index in = 0;
  Index most = panel_numbers;

  [[nodiscard]] constexpr Index height() const {
    constexpr Index unit = 128;
    const Index panels = std::max<Index>((out * in + most - 1) / most, 1);
    return ((out + panels - 1) / panels + unit - 1) / unit * unit;
  }
  [[nodiscard]] constexpr Index count() const { return (out + height() - 1) / height(); }
  [[nodiscard]] constexpr Index first(Index panel) const { return panel * height(); }
  [[nodiscard]] constexpr Index size(Index panel) const {
    return std::min(height(), out - first(panel));
  }
};

/// The part of a product that makes outputs [first, first + size).
template <class T, Code C>
[[nodiscard]] Product<T, C> panel_of(const Product<T, C>& p, Index first, Index size) {
  Product<T, C> part = p;
  part.y.data += first;
  part.y.columns = size;
  part.w += first * p.x.columns;
  if (p.bias != nullptr) part.bias += first;
  part.scales += first;
  return part;
}

/// each(part) for the panels of a product, one after another.
template <class T, Code C, class Each>
void for_each_panel(const Product<T, C>& p, const OutputPanels& panels, const Each& each) {
  for (Index at = 0; at < panels.count(); ++at) {
    each(panel_of(p, panels.first(at), panels.size(at)));
  }
}

/// The same product with the weights widened to `wide` [O, I].
template <class T, Code C>
[[nodiscard]] Product<T> widened(const Product<T, C>& p, const T* wide) {
  return {p.y, p.x, wide, p.bias, p.into};
}

}  // namespace stamp::cuda
