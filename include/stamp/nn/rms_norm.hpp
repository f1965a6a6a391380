// SPDX-License-Identifier: Apache-2.0
// Root-mean-square normalisation, before each half of a decoder layer and at the end.
#pragma once

#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>

namespace stamp {

/// Qwen2RMSNorm: x / sqrt(mean(x²) + eps) · weight, weight [A].
template <Backend B, Axis A>
struct RmsNorm {
  A axis{0};
  double eps = 0;
  typename B::template Vector<A> weight{};

  RmsNorm(A width, double epsilon) : axis(width), eps(epsilon) {}

  /// x [Rows, A] to a new activation of the same shape.
  template <class T, Axis Rows>
  [[nodiscard]] Activation<B, Rows, A> operator()(B& engine, View<T, Rows, A> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis_at<0>(), axis);
    rms_norm(engine, y, x, weight, eps);
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {axis.size}, describe_axes(axis));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.vector(find("weight"), axis);
  }
};

}  // namespace stamp
