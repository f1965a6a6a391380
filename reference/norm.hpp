// SPDX-License-Identifier: Apache-2.0
// RMSNorm of the language model and LayerNorm of the vision tower, row by row.
#pragma once

#include <cmath>
#include <stamp/reference/memory.hpp>

namespace stamp::reference {

/// requirement::HasRmsNorm
template <Element T, Axis R, Axis A>
void rms_norm(Engine<T>&, View<T, R, A> y, In<T, R, A> x,
              const std::type_identity_t<Tensor<Accumulator<T>, A>>& weight, double eps) {
  using Number = Accumulator<T>;
  check_same_shape("rms_norm", y, x);
  check_extent("rms_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  const Index width = y.extents()[1];
  for (Index row = 0; row < y.extents()[0]; ++row) {
    const T* from = x.data() + row * x.stride();
    T* to = y.data() + row * y.stride();
    Number squares = 0;
    for (Index at = 0; at < width; ++at) squares += widen(from[at]) * widen(from[at]);
    const Number scale =
        1 / std::sqrt(squares / static_cast<Number>(width) + static_cast<Number>(eps));
    for (Index at = 0; at < width; ++at) {
      const Number normal = widen(narrow<T>(widen(from[at]) * scale));
      to[at] = narrow<T>(weight.values()[static_cast<std::size_t>(at)] * normal);
    }
  }
}

/// requirement::HasLayerNorm
template <Element T, Axis R, Axis A>
void layer_norm(Engine<T>&, View<T, R, A> y, In<T, R, A> x,
                const std::type_identity_t<Tensor<Accumulator<T>, A>>& weight,
                const std::type_identity_t<Tensor<Accumulator<T>, A>>& bias, double eps) {
  using Number = Accumulator<T>;
  check_same_shape("layer_norm", y, x);
  check_extent("layer_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  check_extent("layer_norm bias", y.template axis_at<1>(), bias.view().template axis_at<0>());
  const Index width = y.extents()[1];
  for (Index row = 0; row < y.extents()[0]; ++row) {
    const T* from = x.data() + row * x.stride();
    T* to = y.data() + row * y.stride();
    Number sum = 0;
    for (Index at = 0; at < width; ++at) sum += widen(from[at]);
    const Number mean = sum / static_cast<Number>(width);
    Number squares = 0;
    for (Index at = 0; at < width; ++at) {
      squares += (widen(from[at]) - mean) * (widen(from[at]) - mean);
    }
    const Number scale =
        1 / std::sqrt(squares / static_cast<Number>(width) + static_cast<Number>(eps));
    for (Index at = 0; at < width; ++at) {
      const auto index = static_cast<std::size_t>(at);
      to[at] = narrow<T>((widen(from[at]) - mean) * scale * weight.values()[index] +
                         bias.values()[index]);
    }
  }
}

}  // namespace stamp::reference
