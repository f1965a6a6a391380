// SPDX-License-Identifier: Apache-2.0
// Layer normalisation of the vision tower.
#pragma once

#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>

namespace stamp {

/// torch.nn.LayerNorm(A): weight and bias [A].
template <Backend B, Axis A>
struct LayerNorm {
  A axis{0};
  double eps = 0;
  typename B::template Vector<A> weight{};
  typename B::template Vector<A> bias{};

  LayerNorm(A width, double epsilon) : axis(width), eps(epsilon) {}

  /// x [Rows, A] to a new activation of the same shape.
  template <class T, Axis Rows>
  [[nodiscard]] Activation<B, Rows, A> operator()(B& engine, View<T, Rows, A> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis_at<0>(), axis);
    layer_norm(engine, y, x, weight, bias, eps);
    return y;
  }

  /// x [Rows, A] becomes its norm.
  template <Axis Rows>
  void in_place(B& engine, Activation<B, Rows, A> x) const {
    layer_norm(engine, x, x, weight, bias, eps);
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {axis.size}, describe_axes(axis));
    visit("bias", {axis.size}, describe_axes(axis));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.vector(find("weight"), axis);
    bias = engine.vector(find("bias"), axis);
  }
};

}  // namespace stamp
