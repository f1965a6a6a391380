// SPDX-License-Identifier: Apache-2.0
// Whether this build holds machine code that the current device can run.
#pragma once

namespace stamp::cuda {

[[nodiscard]] bool has_code_for_this_device();
/// Whether it is code in which kernels wait for those before them themselves: written for compute
/// capability 9.0 or later, and not for 8.0 and translated by the driver.
[[nodiscard]] bool has_code_that_overlaps();

}  // namespace stamp::cuda
