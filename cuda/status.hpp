// SPDX-License-Identifier: Apache-2.0
// What becomes of the runtime's answers. For host code that calls the runtime itself.
#pragma once

#include <cuda_runtime.h>

#include <source_location>

namespace stamp::cuda {

/// Error{resource} unless the call succeeded. A fault is the last thing that the runtime is asked.
void check(cudaError_t status, const std::source_location& where = std::source_location::current());

/// For where nobody can be told, or where there is another way: of a call that failed only a fault
/// is remembered, and the next operation throws.
bool succeeded(cudaError_t status) noexcept;

}  // namespace stamp::cuda
