// SPDX-License-Identifier: Apache-2.0
// What is asked of the CUDA runtime for a launch, and the launch itself.
#pragma once

#include <cstddef>
#include <source_location>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/once_a_device.hpp>

namespace stamp::cuda {

/// Allows a kernel so much shared memory a block, beyond the 48 KiB that need no permission, on the
/// stream's device; `allowed` is the kernel's own.
template <class Kernel>
void allow_shared(OnceADevice& allowed, const Stream& stream, Kernel kernel, std::size_t bytes,
                  const std::source_location& where = std::source_location::current()) {
  allowed(stream.device->facts().ordinal, [&] {
    (void)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(bytes));
    check_launch(where);
  });
}

/// How a kernel is launched.
struct Launch {
  Stream stream;
  dim3 blocks;
  int threads;
  std::size_t shared = 0;  ///< bytes
  std::source_location where = std::source_location::current();
};

/// Queues a kernel; the one door of all that overlap. Where the stream overlaps, the kernel may
/// begin before the one before it has ended, and then even before the one before that. So every
/// kernel that is launched here waits itself (await_earlier, which making a DeviceBlock does), all
/// of its threads, before it touches memory. One that did not would also take the order from all
/// that follow it, for they wait for it alone. A kernel that is launched otherwise begins when all
/// before it have ended, and may stand among these. tests/cuda/sass.sh looks for the wait in the
/// machine code.
template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), const Arguments&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = how.blocks;
  config.blockDim = dim3(static_cast<unsigned>(how.threads));
  config.dynamicSmemBytes = how.shared;
  config.stream = how.stream;
  config.attrs = &early;
  config.numAttrs = how.stream.overlaps ? 1 : 0;
  (void)cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
  check_launch(how.where);
}

}  // namespace stamp::cuda
