// SPDX-License-Identifier: Apache-2.0
// What launches ask of the CUDA runtime beyond the launch itself.
#pragma once

#include <cstddef>
#include <source_location>
#include <stamp/cuda/device.hpp>

namespace stamp::cuda {

/// Allows a kernel so much shared memory a block, beyond the 48 KiB that need no permission.
template <class Kernel>
std::size_t allow_shared(Kernel kernel, std::size_t bytes,
                         const std::source_location& where = std::source_location::current()) {
  (void)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes));
  check_launch(where);
  return bytes;
}

}  // namespace stamp::cuda
