// SPDX-License-Identifier: Apache-2.0
// The launches of everything that goes number by number.
#include <stamp/cuda/activation.cuh>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T, class Function>
__global__ void pointwise(Erased<T> z, Erased<const T> y, Erased<const T> x, bool aligned,
                          Function function) {
  DeviceBlock<NoRegisters> block;
  pointwise_body(block, z, y, x, aligned, function);
}

template <Element T>
[[nodiscard]] Erased<const T> as_input(Erased<T> x) {
  return {x.data, x.rows, x.columns, x.stride};
}

template <Element T, class Function>
void map(Stream stream, Erased<T> z, Erased<const T> y, Erased<const T> x, Function function) {
  if (z.rows == 0 || z.columns == 0) return;
  const bool aligned = aligned_rows(z.data, z.stride) && aligned_rows(y.data, y.stride) &&
                       aligned_rows(x.data, x.stride);
  const Index chunks = (z.columns + pointwise_columns - 1) / pointwise_columns;
  cuda::launch({stream, blocks(z.rows * chunks), pointwise_threads}, pointwise<T, Function>, z, y,
               x, aligned, function);
}
/// In place.
template <Element T, class Function>
void map(Stream stream, Erased<T> y, Erased<const T> x, Function function) {
  map(stream, y, as_input(y), x, function);
}

}  // namespace

template <DeviceElement T>
void quick_gelu(Stream stream, Erased<T> x) {
  map(stream, x, as_input(x), QuickGelu{});
}
template <DeviceElement T>
void gelu(Stream stream, Erased<T> x) {
  map(stream, x, as_input(x), Gelu{});
}
template <DeviceElement T>
void relu(Stream stream, Erased<T> x) {
  map(stream, x, as_input(x), Relu{});
}
template <DeviceElement T>
void swiglu(Stream stream, Erased<T> gate, Erased<const T> up) {
  map(stream, gate, up, Swiglu{});
}
template <DeviceElement T>
void add(Stream stream, Erased<T> y, Erased<const T> x) {
  map(stream, y, x, Add{});
}
template <DeviceElement T>
void sum(Stream stream, Erased<T> z, Erased<const T> y, Erased<const T> x) {
  map(stream, z, y, x, Add{});
}
template <DeviceElement T>
void copy(Stream stream, Erased<T> y, Erased<const T> x) {
  map(stream, y, x, Copy{});
}

template void quick_gelu(Stream, Erased<float>);
template void quick_gelu(Stream, Erased<bfloat16>);
template void gelu(Stream, Erased<float>);
template void gelu(Stream, Erased<bfloat16>);
template void relu(Stream, Erased<float>);
template void relu(Stream, Erased<bfloat16>);
template void swiglu(Stream, Erased<float>, Erased<const float>);
template void swiglu(Stream, Erased<bfloat16>, Erased<const bfloat16>);
template void add(Stream, Erased<float>, Erased<const float>);
template void add(Stream, Erased<bfloat16>, Erased<const bfloat16>);
template void sum(Stream, Erased<float>, Erased<const float>, Erased<const float>);
template void sum(Stream, Erased<bfloat16>, Erased<const bfloat16>, Erased<const bfloat16>);
template void copy(Stream, Erased<float>, Erased<const float>);
template void copy(Stream, Erased<bfloat16>, Erased<const bfloat16>);

}  // namespace stamp::cuda::kernel
