// SPDX-License-Identifier: Apache-2.0
// The last norm and the classifier of mask tokens in one launch: of each row one number is written.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

/// y [R, O], x [R, H], norm [H], weight [O, H], bias [O].
template <class T>
struct NormMatmul {
  Erased<T> y;
  Erased<const T> x;
  const T* norm;
  const T* weight;
  const T* bias;
  float eps;
};

/// Every row of every operand can be read 16 bytes at once.
template <class T>
[[nodiscard]] bool aligned_operands(const NormMatmul<T>& call) {
  return aligned_rows(call.x.data, call.x.stride) && aligned_rows(call.norm, call.x.columns) &&
         aligned_rows(call.weight, call.x.columns);
}

namespace kernel {
template <DeviceElement T>
void norm_matmul(Stream stream, const NormMatmul<T>& call);
}

/// y = rms_norm(x)·Wᵀ + bias (ops/fused.hpp); in one launch where the outputs are few.
template <DeviceElement T, Axis R, Axis O, Axis H, class X>
void rms_norm_matmul(Engine<T>& engine, View<T, R, O> y, const X& x, const Kept<T, H>& norm,
                     double eps, const Matrix<T, O, H>& w, const Kept<T, O>& bias) {
  if (w.out.size >= tile_outputs) {
    return stamp::rms_norm_matmul(engine, y, x, norm, eps, w, bias);
  }
  const In<T, R, H> input = x;
  check_extent("rms_norm_matmul", y.template axis_at<0>(), input.template axis_at<0>());
  check_extent("rms_norm_matmul", w.out, y.template axis_at<1>());
  check_extent("rms_norm_matmul", w.in, input.template axis_at<1>());
  check_extent("rms_norm_matmul norm", w.in, norm.view().template axis_at<0>());
  check_extent("rms_norm_matmul bias", w.out, bias.view().template axis_at<0>());
  kernel::norm_matmul<T>(engine.device().stream(),
                         {erase(y), erase(input), norm.view().data(), w.template numbers<T>(),
                          bias.view().data(), static_cast<float>(eps)});
}

}  // namespace stamp::cuda
