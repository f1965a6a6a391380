// SPDX-License-Identifier: Apache-2.0
// y = x·Wᵀ + bias. The product is Eigen's; the weight is widened a panel of rows at a time.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <stamp/reference/memory.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::reference {

namespace detail {

template <class Number>
using RowMajor = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Number>
using ConstRows = Eigen::Map<const RowMajor<Number>, Eigen::Unaligned, Eigen::OuterStride<>>;

/// y = a·bᵀ; a [rows, inner] and y [rows, columns] with strides, b [columns, inner] dense. The one
/// product of this backend: Eigen's templates are compiled once a Number.
template <class Number>
void multiply_transposed(const Number* a, Index a_stride, const Number* b, Index rows,
                         Index columns, Index inner, RowMajor<Number>& y) {
  const ConstRows<Number> left(a, rows, inner, Eigen::OuterStride<>(a_stride));
  const ConstRows<Number> right(b, columns, inner, Eigen::OuterStride<>(inner));
  y.resize(rows, columns);
  y.noalias() = left * right.transpose();
}

/// The rows of an activation as Numbers: the activation itself, or a widened copy in the arena.
template <Element T>
[[nodiscard]] Erased<const Accumulator<T>> widened(Engine<T>& engine, Erased<const T> x) {
  if constexpr (std::same_as<T, Accumulator<T>>) {
    return x;
  } else {
    auto wide = engine.template allocate<Accumulator<T>>(Tokens{x.rows}, Hidden{x.columns});
    for (Index row = 0; row < x.rows; ++row) {
      for (Index column = 0; column < x.columns; ++column) {
        wide.data()[row * x.columns + column] = widen(x.data[row * x.stride + column]);
      }
    }
    return {wide.data(), x.rows, x.columns, x.columns};
  }
}

/// `bias` may be null. In T = bfloat16 the bias joins before the one rounding, as in PyTorch.
template <Element T>
void multiply(Engine<T>& engine, Erased<T> y, Erased<const T> x, const StoredTensor& weight,
              const Accumulator<T>* bias) {
  using Number = Accumulator<T>;
  const auto frame = engine.frame();
  const auto wide = widened(engine, x);
  const Index in = x.columns;
  const Number* in_place = as_stored<Number>(weight);

  // A panel is large enough to keep the product busy and small enough to stay in the cache.
  constexpr Index panel = 128;
  const Index panels = (y.columns + panel - 1) / panel;
  engine.threads().for_each(panels, [&](Index at) {
    const Index first = at * panel;
    const Index count = std::min(panel, y.columns - first);
    RowMajor<Number> copy;
    if (in_place == nullptr) {
      copy.resize(count, in);
      widen_stored(weight, first * in, count * in, copy.data());
    }
    RowMajor<Number> product;
    multiply_transposed(wide.data, wide.stride,
                        in_place == nullptr ? copy.data() : in_place + first * in, x.rows, count,
                        in, product);
    for (Index row = 0; row < x.rows; ++row) {
      for (Index column = 0; column < count; ++column) {
        const Number added = bias == nullptr ? Number{0} : bias[first + column];
        y.data[row * y.stride + first + column] = narrow<T>(product(row, column) + added);
      }
    }
  });
}

/// The door: all axes checked by name.
template <Element T, Axis R, Axis O, Axis I>
void check_product(View<T, R, O> y, In<T, R, I> x, const Matrix<O, I>& w) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.out, y.template axis_at<1>());
  check_extent("matmul", w.in, x.template axis_at<1>());
}

}  // namespace detail

/// requirement::HasMatmul, without bias.
template <Element T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<O, I>& w) {
  detail::check_product<T, R, O, I>(y, x, w);
  detail::multiply<T>(engine, erase(y), erase(x), w.stored, nullptr);
}

/// requirement::HasMatmul, with bias.
template <Element T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<O, I>& w,
            const std::type_identity_t<Tensor<Accumulator<T>, O>>& bias) {
  detail::check_product<T, R, O, I>(y, x, w);
  check_extent("matmul bias", w.out, bias.view().template axis_at<0>());
  detail::multiply<T>(engine, erase(y), erase(x), w.stored, bias.values().data());
}

/// requirement::HasActivationProduct
template <Element T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, View<const T, O, I> w) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.template axis_at<0>(), y.template axis_at<1>());
  check_extent("matmul", w.template axis_at<1>(), x.template axis_at<1>());
  engine.threads().for_each(y.extents()[0], [&](Index row) {
    for (Index out = 0; out < y.extents()[1]; ++out) {
      Accumulator<T> sum = 0;
      for (Index in = 0; in < x.extents()[1]; ++in) {
        sum += widen(x.data()[row * x.stride() + in]) * widen(w.data()[out * w.stride() + in]);
      }
      y.data()[row * y.stride() + out] = narrow<T>(sum);
    }
  });
}

}  // namespace stamp::reference
