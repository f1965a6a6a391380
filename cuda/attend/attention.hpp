// SPDX-License-Identifier: Apache-2.0
// Which of the matrix kernels an engine's attention takes.
#pragma once

#include <string_view>

namespace stamp::cuda {

/// Both compute the same to within bfloat16's rounding, not to the bit.
enum class Attention {
  mma,    ///< attend/tensor.cuh: every device, every call of bfloat16
  hopper  ///< attend/hopper/: compute capability 9.0, long calls with heads of 64, 80 or 128; no
          ///< GPU has run it yet, so it is taken only where somebody asks for it
};

/// The Attention of that name, "hopper"; mma for every other.
[[nodiscard]] constexpr Attention attention_named(std::string_view name) {
  return name == "hopper" ? Attention::hopper : Attention::mma;
}

/// What the Hopper kernel needs, for the sentence of whoever asked for it in vain.
inline constexpr std::string_view hopper_not_here =
    "expected a device of compute capability 9.0, code for it and a driver that writes tensor "
    "maps, found none";

/// `wanted` where this device, this build and this driver can run it, else `mma`.
[[nodiscard]] Attention attention_here(Attention wanted);

}  // namespace stamp::cuda
