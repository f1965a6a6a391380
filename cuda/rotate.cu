// SPDX-License-Identifier: Apache-2.0
// The launches of the rotary embedding and of the gathering of embedding rows.
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/rotate.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void rotate_rows(ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine,
                            bool aligned) {
  DeviceBlock<NoRegisters> block;
  rotate_body(block, x, cosine, sine, aligned);
}

template <Element T>
__global__ void rotate_and_store_rows(ErasedHeads<T> query, ErasedHeads<T> keys,
                                      ErasedHeads<T> values, ErasedHeads<const T> key,
                                      ErasedHeads<const T> value, Erased<const float> cosine,
                                      Erased<const float> sine, const std::int32_t* first,
                                      bool aligned) {
  DeviceBlock<NoRegisters> block;
  rotate_and_store_body(block, query, keys, values, key, value, cosine, sine, first, aligned);
}

template <Element T>
__global__ void gather_rows(Erased<T> y, Erased<const T> x, const std::int32_t* which,
                            bool aligned) {
  DeviceBlock<NoRegisters> block;
  gather_body(block, y, x, which, aligned);
}

}  // namespace

template <DeviceElement T>
void rotate(Stream stream, ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine) {
  if (x.rows == 0 || x.heads == 0 || x.dim < 2) return;
  launch({stream, blocks(x.rows), rotate_threads}, rotate_rows<T>, x, cosine, sine,
         aligned_heads(x) && aligned_angles(cosine, sine));
}

template <DeviceElement T>
void rotate_and_store(Stream stream, ErasedHeads<T> query, ErasedHeads<T> keys,
                      ErasedHeads<T> values, ErasedHeads<const T> key, ErasedHeads<const T> value,
                      Erased<const float> cosine, Erased<const float> sine,
                      const std::int32_t* first) {
  if (query.rows == 0) return;
  launch({stream, blocks(query.rows), rotate_threads}, rotate_and_store_rows<T>, query, keys,
         values, key, value, cosine, sine, first,
         aligned_operands(query, keys, values, key, value) && aligned_angles(cosine, sine));
}

template <DeviceElement T>
void gather(Stream stream, Erased<T> y, Erased<const T> x, const std::int32_t* which) {
  if (y.rows == 0 || y.columns == 0) return;
  const bool aligned = aligned_rows(y.data, y.stride) && aligned_rows(x.data, x.stride);
  const Index chunks = (y.columns + pointwise_columns - 1) / pointwise_columns;
  launch({stream, blocks(y.rows * chunks), pointwise_threads}, gather_rows<T>, y, x, which,
         aligned);
}

template void rotate(Stream, ErasedHeads<float>, Erased<const float>, Erased<const float>);
template void rotate(Stream, ErasedHeads<bfloat16>, Erased<const float>, Erased<const float>);
template void rotate_and_store(Stream, ErasedHeads<float>, ErasedHeads<float>, ErasedHeads<float>,
                               ErasedHeads<const float>, ErasedHeads<const float>,
                               Erased<const float>, Erased<const float>, const std::int32_t*);
template void rotate_and_store(Stream, ErasedHeads<bfloat16>, ErasedHeads<bfloat16>,
                               ErasedHeads<bfloat16>, ErasedHeads<const bfloat16>,
                               ErasedHeads<const bfloat16>, Erased<const float>,
                               Erased<const float>, const std::int32_t*);
template void gather(Stream, Erased<float>, Erased<const float>, const std::int32_t*);
template void gather(Stream, Erased<bfloat16>, Erased<const bfloat16>, const std::int32_t*);

}  // namespace stamp::cuda::kernel
