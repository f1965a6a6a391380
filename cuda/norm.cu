// SPDX-License-Identifier: Apache-2.0
// The launches of RMSNorm and LayerNorm.
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/norm.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(norm_threads)
    rms_norm_rows(Erased<T> y, Erased<const T> x, const T* weight, float eps, bool aligned) {
  __shared__ float shared[norm_shared];
  DeviceBlock<NormRegisters<T>> block([&] { fetch_vector_ahead(weight, x.columns); });
  rms_norm_body(block, shared, y, x, weight, eps, aligned);
}

template <Element T>
__global__ void __launch_bounds__(norm_threads)
    layer_norm_rows(Erased<T> y, Erased<const T> x, LayerNorm<T> norm, bool aligned) {
  DeviceBlock<LayerNormRegisters<T>> block;
  layer_norm_body(block, y, x, norm, aligned);
}

}  // namespace

template <DeviceElement T>
void rms_norm(Stream stream, Erased<T> y, Erased<const T> x, const T* weight, float eps) {
  if (y.rows == 0) return;
  launch({stream, blocks(y.rows), norm_threads}, rms_norm_rows<T>, y, x, weight, eps,
         aligned_operands(y, x, weight));
}

template <DeviceElement T>
void layer_norm(Stream stream, Erased<T> y, Erased<const T> x, const LayerNorm<T>& norm) {
  if (y.rows == 0) return;
  const Index groups = (y.rows + layer_norm_rows_together - 1) / layer_norm_rows_together;
  launch({stream, blocks(groups), norm_threads}, layer_norm_rows<T>, y, x, norm,
         aligned_operands(y, x, norm));
}

template void rms_norm(Stream, Erased<float>, Erased<const float>, const float*, float);
template void rms_norm(Stream, Erased<bfloat16>, Erased<const bfloat16>, const bfloat16*, float);
template void layer_norm(Stream, Erased<float>, Erased<const float>, const LayerNorm<float>&);
template void layer_norm(Stream, Erased<bfloat16>, Erased<const bfloat16>,
                         const LayerNorm<bfloat16>&);

}  // namespace stamp::cuda::kernel
