// SPDX-License-Identifier: Apache-2.0
// Launches of the library's own kernels on the host's runtime: what nvcc's code and runtime.cuh
// call for them. Nothing is computed. A launch is refused where a device refuses it for its shared
// memory, and one of them can be told to fail.
#include <cuda/runtime/host_runtime.hpp>

using stamp::test::host_runtime;
using stamp::test::HostRuntime;

namespace {

constexpr std::size_t needs_no_permission = std::size_t{48} << 10U;

/// Of <<< >>>, between its two calls.
struct Configuration {
  std::size_t shared = 0;
  cudaStream_t stream = nullptr;
};
thread_local Configuration pushed;

cudaError_t launch(const char* name, const void* kernel, std::size_t shared, cudaStream_t stream) {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  cudaError_t status = runtime.begin(name);
  if (status == cudaSuccess && shared > needs_no_permission &&
      shared > runtime.shared_allowed[{stamp::test::current_device(), kernel}]) {
    status = cudaErrorInvalidValue;
  }
  if (status != cudaSuccess) return runtime.last = status;
  const bool fails = ++runtime.launches == runtime.failing_launch;
  return stamp::test::queue(stream, [&runtime, fails] {
    if (fails) runtime.context = cudaErrorIllegalAddress;
  });
}

}  // namespace

extern "C" {

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute which, int value) {
  HostRuntime& runtime = host_runtime();
  const std::lock_guard lock(runtime.alone);
  const cudaError_t status = runtime.begin("cudaFuncSetAttribute");
  if (status == cudaSuccess && which == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    runtime.shared_allowed[{stamp::test::current_device(), kernel}] =
        static_cast<std::size_t>(value);
  }
  return status;
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* how, const void* kernel,
                                void** /*arguments*/) {
  return launch("cudaLaunchKernelExC", kernel, how->dynamicSmemBytes, how->stream);
}

// What nvcc makes of <<< >>>; a kernel's handle is its host function.
unsigned __cudaPushCallConfiguration(dim3 /*grid*/, dim3 /*block*/, std::size_t shared,
                                     CUstream_st* stream) {
  pushed = {shared, stream};
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  *grid = *block = dim3(1);
  *shared = pushed.shared;
  *static_cast<cudaStream_t*>(stream) = pushed.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* handle, const void* kernel) {
  *handle = static_cast<cudaKernel_t>(const_cast<void*>(kernel));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 /*grid*/, dim3 /*block*/,
                               void** /*arguments*/, std::size_t shared, cudaStream_t stream) {
  return launch("cudaLaunchKernel", kernel, shared, stream);
}
void __cudaRegisterFunction(void** /*code*/, const char* /*kernel*/, char* /*device*/,
                            const char* /*name*/, int /*threads*/, uint3* /*thread*/,
                            uint3* /*block*/, dim3* /*block_size*/, dim3* /*grid_size*/,
                            int* /*warp_size*/) {}

}  // extern "C"
