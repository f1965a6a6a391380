// SPDX-License-Identifier: Apache-2.0
// Whether this build holds machine code that the current device can run.
#pragma once

namespace stamp::cuda {

[[nodiscard]] bool has_code_for_this_device();

}  // namespace stamp::cuda
