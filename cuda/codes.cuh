// SPDX-License-Identifier: Apache-2.0
// Sixteen neighbouring codes of a row: one load of 16 bytes, widened to floats in registers by
// integer steps and an exact sum or product, which every architecture has.
#pragma once

#include <stamp/cuda/eight.cuh>
#include <stamp/cuda/weights.hpp>
#include <stamp/tensor/check.hpp>

namespace stamp::cuda {

inline constexpr Index sixteen = 16;

/// for at < 4: to[at] = byte at of the word
__host__ __device__ inline void widen_four(std::int8_t, std::uint32_t word, float* to) {
  // code + 128, where the mantissa's bits of 2^23 or of 2^15 have the values 1 to 128.
#pragma unroll
  for (int half = 0; half < 4; half += 2) {
    const std::uint32_t pair = half == 0 ? word : word >> 16U;
    to[half] = std::bit_cast<float>((pair & 0xffU) ^ 0x4b000080U) - (0x1p23F + 128);
    to[half + 1] = std::bit_cast<float>((pair & 0xff00U) ^ 0x47008000U) - (0x1p15F + 128);
  }
}
__host__ __device__ inline void widen_four(float8_e4m3, std::uint32_t word, float* to) {
  // The fields of two codes at once where two bfloat16 have their own, as in float8_e4m3 itself.
  // NaN would become 480, but a row that had one has NaN for its scale and no such code.
  const std::uint32_t even = (word << 8U & 0x80008000U) | (word << 4U & 0x07f007f0U);
  const std::uint32_t odd = (word & 0x80008000U) | (word >> 4U & 0x07f007f0U);
  to[0] = std::bit_cast<float>(even << 16U) * 0x1p120F;
  to[1] = std::bit_cast<float>(odd << 16U) * 0x1p120F;
  to[2] = std::bit_cast<float>(even & 0xffff0000U) * 0x1p120F;
  to[3] = std::bit_cast<float>(odd & 0xffff0000U) * 0x1p120F;
}

/// for at < 2: to[at] = bfloat16 at of the word
__host__ __device__ inline void widen_two(std::uint32_t word, float* to) {
  to[0] = std::bit_cast<float>(word << 16U);
  to[1] = std::bit_cast<float>(word & 0xffff0000U);
}

/// for at < 16: to[at] = code at, exactly
template <Code C>
__host__ __device__ inline void widen_sixteen(const Words& codes, float* to) {
#pragma unroll
  for (int word = 0; word < 4; ++word) widen_four(C{}, codes.at[word], to + 4 * word);
}

}  // namespace stamp::cuda
