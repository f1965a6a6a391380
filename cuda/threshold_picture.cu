// SPDX-License-Identifier: Apache-2.0
// The launch of masks at their picture's size. The build compiles this file with --fmad=false.
#include <stamp/cuda/runtime.cuh>
#include <stamp/cuda/threshold_picture.cuh>

namespace stamp::cuda::kernel {

namespace {

__global__ void __launch_bounds__(threshold_threads) threshold_rows(ThresholdPicture call) {
  __shared__ ThresholdRegisters shared[threshold_threads];
  DeviceBlock<ThresholdRegisters> block;
  threshold_picture_body(block, shared, call);
}

}  // namespace

void threshold_picture(Stream stream, const ThresholdPicture& call) {
  launch({stream, blocks(call.height), threshold_threads}, threshold_rows, call);
}

}  // namespace stamp::cuda::kernel
