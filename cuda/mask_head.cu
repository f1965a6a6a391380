// SPDX-License-Identifier: Apache-2.0
// The launch of the mask head.
#include <stamp/cuda/mask_head.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(mask_head_threads) make_mask(MaskHead<T> call, bool aligned) {
  extern __shared__ float logits[];
  __shared__ TileForeground foregrounds[mask_head_threads];
  DeviceBlock<MaskHeadRegisters> block([&] {
    fetch_vector_ahead(call.norm, call.x.columns);
    fetch_vector_ahead(call.weight, call.x.columns);
  });
  mask_head_body(block, logits, foregrounds, call, aligned);
}

}  // namespace

template <DeviceElement T>
void mask_head(Stream stream, const MaskHead<T>& call, Index window) {
  const dim3 grid(blocks(call.rows.tiles), blocks(call.columns.tiles));
  const std::size_t shared = static_cast<std::size_t>(window) * sizeof(float);
  launch({stream, grid, mask_head_threads, shared}, make_mask<T>, call, aligned_operands(call));
}

template void mask_head(Stream, const MaskHead<float>&, Index);
template void mask_head(Stream, const MaskHead<bfloat16>&, Index);

}  // namespace stamp::cuda::kernel
