// SPDX-License-Identifier: Apache-2.0
// The launch of the search for the largest number.
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/largest.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

template <Element T>
__global__ void __launch_bounds__(largest_threads)
    largest_of_part(Candidate* candidates, Erased<const T> x, bool aligned) {
  __shared__ Candidate shared[largest_threads];
  DeviceBlock<Candidate> block;
  largest_of_part_body(block, shared, candidates, x, aligned);
}

__global__ void __launch_bounds__(largest_threads)
    largest_of_parts(std::int32_t* places, const Candidate* candidates, Index parts) {
  __shared__ Candidate shared[largest_threads];
  DeviceBlock<Candidate> block;
  largest_of_parts_body(block, shared, places, candidates, parts);
}

}  // namespace

template <DeviceElement T>
void largest(Stream stream, std::int32_t* places, Candidate* candidates, Erased<const T> x) {
  if (x.rows == 0) return;
  const Index parts = largest_parts(x.columns);
  const dim3 grid(blocks(x.rows), blocks(parts));
  launch({stream, grid, largest_threads}, largest_of_part<T>, candidates, x,
         aligned_rows(x.data, x.stride));
  launch({stream, blocks(x.rows), largest_threads}, largest_of_parts, places, candidates, parts);
}

template void largest(Stream, std::int32_t*, Candidate*, Erased<const float>);
template void largest(Stream, std::int32_t*, Candidate*, Erased<const bfloat16>);

}  // namespace stamp::cuda::kernel
