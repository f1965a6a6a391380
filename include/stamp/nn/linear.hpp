// SPDX-License-Identifier: Apache-2.0
// y = x·Wᵀ + b, from one named axis to another: a wrong order of layers does not compile.
#pragma once

#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>

namespace stamp {

/// Whether a linear layer adds a bias; the checkpoint either has the tensor or has not.
enum class Bias { none, added };

/// torch.nn.Linear(In, Out): weight [Out, In], bias [Out].
template <Backend B, Axis From, Axis To, Bias bias_is = Bias::added>
struct Linear {
  From in{0};
  To out{0};
  typename B::template Matrix<To, From> weight{};
  typename B::template Vector<To> bias{};

  Linear(From from, To to) : in(from), out(to) {}

  /// x [Rows, In] to a new activation [Rows, Out].
  template <class T, Axis Rows>
  [[nodiscard]] Activation<B, Rows, To> operator()(B& engine, View<T, Rows, From> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis_at<0>(), out);
    if constexpr (bias_is == Bias::added) {
      matmul(engine, y, x, weight, bias);
    } else {
      matmul(engine, y, x, weight);
    }
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("weight", {out.size, in.size}, describe_axes(out, in));
    if constexpr (bias_is == Bias::added) visit("bias", {out.size}, describe_axes(out));
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.matrix(find("weight"), out, in);
    if constexpr (bias_is == Bias::added) bias = engine.vector(find("bias"), out);
  }
};

}  // namespace stamp
