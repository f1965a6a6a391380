// SPDX-License-Identifier: Apache-2.0
// y = x·Wᵀ + bias. The product is Eigen's; the weight is widened a panel of rows at a time.
#pragma once

#include <Eigen/Core>
#include <stamp/reference/memory.hpp>

namespace stamp::reference {

namespace detail {

template <class Number>
using RowMajor = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Number>
using Rows = Eigen::Map<RowMajor<Number>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <class Number>
using ConstRows = Eigen::Map<const RowMajor<Number>, Eigen::Unaligned, Eigen::OuterStride<>>;

/// The rows of an activation as Numbers: the activation itself, or a widened copy in the arena.
template <Element T, Axis Row, Axis Column>
[[nodiscard]] View<const Accumulator<T>, Row, Column> widened(Engine<T>& engine,
                                                              View<const T, Row, Column> x) {
  if constexpr (std::same_as<T, Accumulator<T>>) {
    return x;
  } else {
    auto wide =
        engine.template allocate<Accumulator<T>>(x.template axis_at<0>(), x.template axis_at<1>());
    for (Index row = 0; row < x.extents()[0]; ++row) {
      for (Index column = 0; column < x.extents()[1]; ++column) {
        wide.data()[row * wide.stride() + column] = widen(x.data()[row * x.stride() + column]);
      }
    }
    return wide;
  }
}

/// `bias` may be null. In T = bfloat16 the bias joins before the one rounding, as in PyTorch.
template <Element T, Axis R, Axis O, Axis I>
void multiply(Engine<T>& engine, View<T, R, O> y, View<const T, R, I> x, const Matrix<O, I>& w,
              const Accumulator<T>* bias) {
  using Number = Accumulator<T>;
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.out, y.template axis_at<1>());
  check_extent("matmul", w.in, x.template axis_at<1>());
  const auto frame = engine.frame();
  const auto wide = widened(engine, x);
  const Index row_count = x.extents()[0];
  const Index in = w.in.size;
  const ConstRows<Number> left(wide.data(), row_count, in, Eigen::OuterStride<>(wide.stride()));
  const Number* in_place = as_stored<Number>(w.stored);

  // A panel is large enough to keep the product busy and small enough to stay in the cache.
  constexpr Index panel = 128;
  const Index panels = (w.out.size + panel - 1) / panel;
  engine.threads().for_each(panels, [&](Index at) {
    const Index first = at * panel;
    const Index count = std::min(panel, w.out.size - first);
    RowMajor<Number> copy;
    if (in_place == nullptr) {
      copy.resize(count, in);
      widen_stored(w.stored, first * in, count * in, copy.data());
    }
    const ConstRows<Number> right(in_place == nullptr ? copy.data() : in_place + first * in, count,
                                  in, Eigen::OuterStride<>(in));
    RowMajor<Number> product(row_count, count);
    product.noalias() = left * right.transpose();
    for (Index row = 0; row < row_count; ++row) {
      for (Index column = 0; column < count; ++column) {
        const Number added = bias == nullptr ? Number{0} : bias[first + column];
        y.data()[row * y.stride() + first + column] = narrow<T>(product(row, column) + added);
      }
    }
  });
}

}  // namespace detail

/// requirement::HasMatmul, without bias.
template <Element T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<O, I>& w) {
  detail::multiply<T, R, O, I>(engine, y, x, w, nullptr);
}

/// requirement::HasMatmul, with bias.
template <Element T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<O, I>& w,
            const std::type_identity_t<Tensor<Accumulator<T>, O>>& bias) {
  check_extent("matmul bias", w.out, bias.view().template axis_at<0>());
  detail::multiply<T, R, O, I>(engine, y, x, w, bias.values().data());
}

}  // namespace stamp::reference
