// SPDX-License-Identifier: Apache-2.0
// RMSNorm of the language model and LayerNorm of the vision towers, on the device.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// requirement::HasRmsNorm
template <DeviceElement T, Axis R, Axis A>
void rms_norm(Engine<T>& engine, View<T, R, A> y, In<T, R, A> x,
              const std::type_identity_t<Kept<T, A>>& weight, double eps) {
  check_same_shape("rms_norm", y, x);
  check_extent("rms_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  kernel::rms_norm<T>(engine.device().stream(), erase(y), erase(x), weight.view().data(),
                      static_cast<float>(eps));
}

namespace detail {

/// The door of every LayerNorm: weight and bias fit its columns.
template <DeviceElement T, Axis A>
[[nodiscard]] LayerNorm<T> checked_norm(A axis, const Kept<T, A>& weight, const Kept<T, A>& bias,
                                        double eps) {
  check_extent("layer_norm weight", axis, weight.view().template axis_at<0>());
  check_extent("layer_norm bias", axis, bias.view().template axis_at<0>());
  return {weight.view().data(), bias.view().data(), axis.size, static_cast<float>(eps)};
}

}  // namespace detail

/// requirement::HasLayerNorm
template <DeviceElement T, Axis R, Axis A>
void layer_norm(Engine<T>& engine, View<T, R, A> y, In<T, R, A> x,
                const std::type_identity_t<Kept<T, A>>& weight,
                const std::type_identity_t<Kept<T, A>>& bias, double eps) {
  check_same_shape("layer_norm", y, x);
  kernel::layer_norm<T>(engine.device().stream(), erase(y), erase(x),
                        detail::checked_norm<T>(y.template axis_at<1>(), weight, bias, eps));
}

}  // namespace stamp::cuda
