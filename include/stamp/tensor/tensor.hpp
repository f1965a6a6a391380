// SPDX-License-Identifier: Apache-2.0
// A tensor that owns its numbers in host memory; `view()` is what operations work on.
#pragma once

#include <stamp/tensor/view.hpp>
#include <vector>

namespace stamp {

/// Dense, row-major, owning tensor of shape (Axes...). Starts as zeros.
template <class T, Axis... Axes>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Axes... axes)
      : values_(static_cast<std::size_t>(count(std::array<Index, sizeof...(Axes)>{axes.size...}))),
        axes_(axes...) {}

  [[nodiscard]] View<T, Axes...> view() {
    return std::apply([&](auto... axes) { return View<T, Axes...>(values_.data(), axes...); },
                      axes_);
  }
  [[nodiscard]] View<const T, Axes...> view() const {
    return std::apply([&](auto... axes) { return View<const T, Axes...>(values_.data(), axes...); },
                      axes_);
  }
  [[nodiscard]] std::vector<T>& values() { return values_; }
  [[nodiscard]] const std::vector<T>& values() const { return values_; }

 private:
  static Index count(const std::array<Index, sizeof...(Axes)>& extents) {
    Index product = 1;
    for (const Index extent : extents) product = checked_multiply(product, extent, "Tensor");
    return product;
  }

  std::vector<T> values_;
  std::tuple<Axes...> axes_{Axes{0}...};
};

}  // namespace stamp
