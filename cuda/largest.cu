// SPDX-License-Identifier: Apache-2.0
// The launch of the search for the largest number.
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/largest.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(largest_threads)
    largest_of_rows(std::int32_t* places, Erased<const T> x, bool aligned) {
  __shared__ LargestRegisters shared[largest_threads];
  DeviceBlock<LargestRegisters> block;
  largest_body(block, shared, places, x, aligned);
}

}  // namespace

template <DeviceElement T>
void largest(Stream stream, std::int32_t* places, Erased<const T> x) {
  if (x.rows == 0) return;
  const bool aligned = aligned_rows(x.data, x.stride);
  largest_of_rows<<<blocks(x.rows), largest_threads, 0, stream>>>(places, x, aligned);
  check_launch();
}

template void largest(Stream, std::int32_t*, Erased<const float>);
template void largest(Stream, std::int32_t*, Erased<const bfloat16>);

}  // namespace stamp::cuda::kernel
