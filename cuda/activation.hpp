// SPDX-License-Identifier: Apache-2.0
// The non-linear functions of Qwen2-VL and SAM, each in place, on the device.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// requirement::HasQuickGelu
template <DeviceElement T, Axis R, Axis A>
void quick_gelu(Engine<T>& engine, View<T, R, A> x) {
  kernel::quick_gelu<T>(engine.device().stream(), erase(x));
}

/// requirement::HasGelu
template <DeviceElement T, Axis R, Axis A>
void gelu(Engine<T>& engine, View<T, R, A> x) {
  kernel::gelu<T>(engine.device().stream(), erase(x));
}

/// requirement::HasRelu; NaN stays NaN.
template <DeviceElement T, Axis R, Axis A>
void relu(Engine<T>& engine, View<T, R, A> x) {
  kernel::relu<T>(engine.device().stream(), erase(x));
}

/// requirement::HasSwiglu
template <DeviceElement T, Axis R, Axis A>
void swiglu(Engine<T>& engine, View<T, R, A> gate, In<T, R, A> up) {
  check_same_shape("swiglu", gate, up);
  kernel::swiglu<T>(engine.device().stream(), erase(gate), erase(up));
}

}  // namespace stamp::cuda
