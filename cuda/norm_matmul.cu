// SPDX-License-Identifier: Apache-2.0
// The launch of RMSNorm and product in one.
#include <stamp/cuda/norm_matmul.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(norm_matmul_threads)
    normalise_and_multiply(NormMatmul<T> call, bool aligned) {
  DeviceBlock<NormMatmulRegisters> block;
  norm_matmul_body(block, call, aligned);
}

}  // namespace

template <DeviceElement T>
void norm_matmul(Stream stream, const NormMatmul<T>& call) {
  if (call.y.rows == 0) return;
  const Index groups = (call.y.rows + norm_matmul_rows - 1) / norm_matmul_rows;
  launch({stream, blocks(groups), norm_matmul_threads}, normalise_and_multiply<T>, call,
         aligned_operands(call));
}

template void norm_matmul(Stream, const NormMatmul<float>&);
template void norm_matmul(Stream, const NormMatmul<bfloat16>&);

}  // namespace stamp::cuda::kernel
