// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding on the device.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>

namespace stamp::cuda {

/// requirement::HasRotate
template <DeviceElement T, Axis R, Axis H, Axis D>
void rotate(Engine<T>& engine, View<T, R, H, D> x, In<float, R, Pairs> cosine,
            In<float, R, Pairs> sine) {
  const Index pairs = x.extents()[2] / 2;
  check_extent("rotate", x.template axis_at<0>(), cosine.template axis_at<0>());
  check_extent("rotate", x.template axis_at<0>(), sine.template axis_at<0>());
  check_extent("rotate", Pairs{pairs}, cosine.template axis_at<1>());
  check_extent("rotate", Pairs{pairs}, sine.template axis_at<1>());
  kernel::rotate<T>(engine.device().stream(), erase(x), erase(cosine), erase(sine));
}

}  // namespace stamp::cuda
