// SPDX-License-Identifier: Apache-2.0
// stamp::cuda's kernels, walked on the host. Whoever includes this defines what a launch is.
// attend_hopper is not among them.
#pragma once

#include <cuda/bodies.hpp>
#include <stamp/cuda/device.hpp>

namespace stamp::test {

/// Runs a kernel, or keeps it until its turn comes.
template <class Kernel>
void launch(cuda::Stream stream, const Kernel& kernel);

}  // namespace stamp::test

namespace stamp::cuda {

namespace walked = test::walked;

namespace kernel {

template <DeviceElement T>
void rms_norm(Stream stream, Erased<T> y, Erased<const T> x, const T* weight, float eps) {
  test::launch(stream, [=] { walked::rms_norm(y, x, weight, eps); });
}
template <DeviceElement T>
void layer_norm(Stream stream, Erased<T> y, Erased<const T> x, const LayerNorm<T>& norm) {
  test::launch(stream, [=] { walked::layer_norm(y, x, norm); });
}
template <DeviceElement T>
void norm_matmul(Stream stream, const NormMatmul<T>& call) {
  test::launch(stream, [=] { walked::norm_matmul(call); });
}
template <DeviceElement T>
void quick_gelu(Stream stream, Erased<T> x) {
  test::launch(stream, [=] { walked::quick_gelu(x); });
}
template <DeviceElement T>
void gelu(Stream stream, Erased<T> x) {
  test::launch(stream, [=] { walked::gelu(x); });
}
template <DeviceElement T>
void relu(Stream stream, Erased<T> x) {
  test::launch(stream, [=] { walked::relu(x); });
}
template <DeviceElement T>
void swiglu(Stream stream, Erased<T> gate, Erased<const T> up) {
  test::launch(stream, [=] { walked::swiglu(gate, up); });
}
template <DeviceElement T>
void add(Stream stream, Erased<T> y, Erased<const T> x) {
  test::launch(stream, [=] { walked::add(y, x); });
}
template <DeviceElement T>
void sum(Stream stream, Erased<T> z, Erased<const T> y, Erased<const T> x) {
  test::launch(stream, [=] { walked::sum(z, y, x); });
}
template <DeviceElement T>
void copy(Stream stream, Erased<T> y, Erased<const T> x) {
  test::launch(stream, [=] { walked::copy(y, x); });
}
template <DeviceElement T>
void rotate(Stream stream, ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine) {
  test::launch(stream, [=] { walked::rotate(x, cosine, sine); });
}
template <DeviceElement T>
void rotate_and_store(Stream stream, ErasedHeads<T> query, ErasedHeads<T> keys,
                      ErasedHeads<T> values, ErasedHeads<const T> key, ErasedHeads<const T> value,
                      Erased<const float> cosine, Erased<const float> sine,
                      const std::int32_t* first) {
  test::launch(stream, [=] {
    walked::rotate_and_store(query, keys, values, key, value, cosine, sine, first);
  });
}
template <DeviceElement T>
void largest(Stream stream, std::int32_t* places, Candidate* candidates, Erased<const T> x) {
  test::launch(stream, [=] { walked::largest_of_part(candidates, x); });
  test::launch(stream, [=] {
    walked::largest_of_parts(places, candidates, x.rows, largest_parts(x.columns));
  });
}
template <DeviceElement T>
void top_k(Stream stream, const TopKCall<T>& call) {
  test::launch(stream, [=] { walked::largest_of_groups(call); });
  test::launch(stream, [=] { walked::found_of_row(call); });
}
template <DeviceElement T>
void gather(Stream stream, Erased<T> y, Erased<const T> x, const std::int32_t* which) {
  test::launch(stream, [=] { walked::gather(y, x, which); });
}
template <DeviceElement T, class W>
void skinny_products(Stream stream, const JoinedProducts<T, W>& products) {
  test::launch(stream, [=] { walked::skinny_products(products); });
}
template <DeviceElement T, class W>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                   const InputNorm<T>& norm) {
  test::launch(stream, [=] { walked::skinny_swiglu(y, x, weights, norm); });
}
template <Code C>
void widen_rows(Stream stream, Erased<bfloat16> wide, const C* codes, const float* scales) {
  test::launch(stream, [=] { walked::widen_rows(wide, codes, scales); });
}
template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& product) {
  test::launch(stream, [=] { walked::plain_product(product); });
}
inline void resize_across(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index rows,
                          Index columns, Index outputs, const ByteFilter& filter) {
  test::launch(stream, [=] { walked::resize_across(to, from, rows, columns, outputs, filter); });
}
inline void resize_down(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index samples,
                        Index outputs, const ByteFilter& filter) {
  test::launch(stream, [=] { walked::resize_down(to, from, samples, outputs, filter); });
}
template <DeviceElement T>
void cut_patches(Stream stream, Erased<T> y, const std::uint8_t* pixels, const T* levels,
                 const PatchOrder& order) {
  test::launch(stream, [=] { walked::cut_patches(y, pixels, levels, order); });
}
template <DeviceElement T>
void mask_head(Stream stream, const MaskHead<T>& call, Index window) {
  test::launch(stream, [=] { walked::mask_head(call, window); });
}
template <DeviceElement T>
void attend_naive(Stream stream, const AttendCall<T>& call) {
  test::launch(stream, [=] { walked::attend(call, AttendKernel::naive, 1); });
}
template <DeviceElement T>
void attend_tiled(Stream stream, const AttendCall<T>& call, const AttendParts& parts) {
  test::launch(stream, [=] { walked::attend_tiled(call, parts); });
}
inline void attend_tensor(Stream stream, const AttendCall<bfloat16>& call,
                          const AttendParts& parts) {
  test::launch(stream, [=] { walked::attend_tensor(call, parts); });
}
template <DeviceElement T>
void attend_combine(Stream stream, const AttendCall<T>& call, const AttendParts& parts) {
  test::launch(stream, [=] { walked::attend_combine(call, parts); });
}

}  // namespace kernel

}  // namespace stamp::cuda
