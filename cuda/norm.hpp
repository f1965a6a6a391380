// SPDX-License-Identifier: Apache-2.0
// RMSNorm of the language model and LayerNorm of the vision towers, on the device, and the steps
// that LayerNorm takes along: a residual before it, SAM's way into windows and out of them.
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

/// Row numbers on the device.
template <DeviceElement T, Axis R>
[[nodiscard]] const std::int32_t* sent_rows(Engine<T>& engine, R rows,
                                            std::span<const std::int32_t> index) {
  const auto sent = engine.template allocate<std::int32_t>(rows);
  engine.upload(sent, index);
  return sent.data();
}

}  // namespace detail

/// requirement::HasLayerNorm
template <DeviceElement T, Axis R, Axis A>
void layer_norm(Engine<T>& engine, View<T, R, A> y, In<T, R, A> x,
                const std::type_identity_t<Kept<T, A>>& weight,
                const std::type_identity_t<Kept<T, A>>& bias, double eps) {
  check_same_shape("layer_norm", y, x);
  kernel::layer_norm<T>(engine.device().stream(), erase(y), erase(x), nullptr,
                        detail::checked_norm<T>(y.template axis_at<1>(), weight, bias, eps));
}

/// x += z, then y = layer_norm(x) (ops/fused.hpp), in one launch.
template <DeviceElement T, Axis R, Axis A, class Z>
void add_layer_norm(Engine<T>& engine, View<T, R, A> y, View<T, R, A> x, const Z& z,
                    const Kept<T, A>& weight, const Kept<T, A>& bias, double eps) {
  const In<T, R, A> added = z;
  check_same_shape("add", x, added);
  check_same_shape("layer_norm", y, x);
  kernel::add_layer_norm<T>(engine.device().stream(), erase(y), erase(x), erase(added), nullptr,
                            detail::checked_norm(y.template axis_at<1>(), weight, bias, eps));
}

/// LayerNorm and the way into windows (ops/windows.hpp) in one launch.
template <DeviceElement T, Axis S, Axis R, Axis A, class U>
void layer_norm_into_windows(Engine<T>& engine, View<T, S, A> y, const View<U, R, A>& x,
                             std::span<const std::int32_t> index, const Kept<T, A>& weight,
                             const Kept<T, A>& bias, double eps) {
  check_extent("layer_norm", y.template axis_at<1>(), x.template axis_at<1>());
  const auto norm = detail::checked_norm(y.template axis_at<1>(), weight, bias, eps);
  const auto frame = engine.frame();
  kernel::layer_norm<T>(engine.device().stream(), erase(y), erase(View<const T, R, A>(x)),
                        detail::sent_rows(engine, y.template axis_at<0>(), index), norm);
}

/// The way back, the residual and LayerNorm (ops/windows.hpp) in one launch.
template <DeviceElement T, Axis R, Axis S, Axis A, class U>
void add_from_windows_layer_norm(Engine<T>& engine, View<T, R, A> y, View<T, R, A> x,
                                 const View<U, S, A>& z, std::span<const std::int32_t> index,
                                 const Kept<T, A>& weight, const Kept<T, A>& bias, double eps) {
  check_extent("gather_rows", x.template axis_at<1>(), z.template axis_at<1>());
  check_same_shape("layer_norm", y, x);
  const auto norm = detail::checked_norm(y.template axis_at<1>(), weight, bias, eps);
  const auto frame = engine.frame();
  kernel::add_layer_norm<T>(engine.device().stream(), erase(y), erase(x),
                            erase(View<const T, S, A>(z)),
                            detail::sent_rows(engine, x.template axis_at<0>(), index), norm);
}

}  // namespace stamp::cuda
