// SPDX-License-Identifier: Apache-2.0
// Which instructions this processor has, and which number type products are computed in.
#pragma once

#include <string_view>

namespace stamp::cpu {

/// Instruction sets that kernels are written for, weakest first. Everything vectorised exists for
/// each of them in one binary; the choice is made at run time.
enum class Isa {
  none,    ///< x86-64 without AVX2: this backend does not run
  avx2,    ///< AVX2 and FMA
  avx512,  ///< AVX-512 F, BW, DQ, VL with VNNI and BF16 (Zen 4, Cooper Lake, Sapphire Rapids …)
};

/// What the big matrices are kept and multiplied in. Activations, norms, softmax, embedding rows
/// and the mask classifier are float32 in all of them.
enum class Compute {
  fp32,  ///< float32 weights, float32 products
  bf16,  ///< bfloat16 weights; products of bfloat16 numbers, summed in float32
  int8,  ///< a scale a row of W, a scale a token of x; products of 8-bit integers, summed exactly
};

/// The best that this processor and its operating system offer.
[[nodiscard]] inline Isa detected_isa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::none;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  return wide ? Isa::avx512 : Isa::avx2;
}

/// bf16 where the processor multiplies bfloat16 numbers; elsewhere fp32, because widening every
/// weight at every use would be slower than keeping it wide.
[[nodiscard]] constexpr Compute best_compute(Isa isa) {
  return isa == Isa::avx512 ? Compute::bf16 : Compute::fp32;
}

[[nodiscard]] constexpr std::string_view name_of(Isa isa) {
  return isa == Isa::avx512 ? "AVX-512" : isa == Isa::avx2 ? "AVX2" : "no AVX2";
}
[[nodiscard]] constexpr std::string_view name_of(Compute compute) {
  return compute == Compute::fp32 ? "fp32" : compute == Compute::bf16 ? "bf16" : "int8";
}

}  // namespace stamp::cpu
