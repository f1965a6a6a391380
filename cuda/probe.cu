// SPDX-License-Identifier: Apache-2.0
// A kernel that does nothing, compiled for the architectures of all the others.
#include <stamp/cuda/probe.hpp>

namespace stamp::cuda {

namespace {
__global__ void nothing() {}
}  // namespace

bool has_code_for_this_device() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, nothing) == cudaSuccess;
}

bool has_code_that_overlaps() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, nothing) == cudaSuccess && attributes.ptxVersion >= 90;
}

}  // namespace stamp::cuda
