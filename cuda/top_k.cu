// SPDX-License-Identifier: Apache-2.0
// The launches of the search for what top-k keeps.
#include <stamp/cuda/runtime.cuh>
#include <stamp/cuda/top_k.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(top_k_threads) largest_of_groups(TopKCall<T> call, bool aligned) {
  __shared__ float shared[top_k_threads];
  DeviceBlock<NoRegisters> block;
  largest_of_groups_body(block, shared, call, aligned);
}

template <Element T>
__global__ void __launch_bounds__(top_k_threads) found_of_row(TopKCall<T> call, bool aligned) {
  __shared__ TopKShared shared;
  DeviceBlock<TopKRegisters> block;
  found_of_row_body(block, shared, call, aligned);
}

}  // namespace

template <DeviceElement T>
void top_k(Stream stream, const TopKCall<T>& call) {
  if (call.x.rows == 0) return;
  const bool aligned = aligned_rows(call.x.data, call.x.stride);
  const dim3 grid(blocks(call.x.rows), blocks(top_k_parts(call.x.columns)));
  launch({stream, grid, top_k_threads}, largest_of_groups<T>, call, aligned);
  launch({stream, blocks(call.x.rows), top_k_threads}, found_of_row<T>, call, aligned);
}

template void top_k(Stream, const TopKCall<float>&);
template void top_k(Stream, const TopKCall<bfloat16>&);

}  // namespace stamp::cuda::kernel
