// SPDX-License-Identifier: Apache-2.0
// The kernel that device.cpp asks for code of: the host's runtime says whether there is any.
#include <cuda_runtime.h>

#include <cuda/runtime/host_runtime.hpp>
#include <stamp/cuda/probe.hpp>

namespace stamp::cuda {

bool has_code_for_this_device() {
  cudaFuncAttributes attributes{};
  const int nothing = 0;
  return cudaFuncGetAttributes(&attributes, &nothing) == cudaSuccess;
}

bool has_code_that_overlaps() { return test::host_runtime().overlaps; }

}  // namespace stamp::cuda
