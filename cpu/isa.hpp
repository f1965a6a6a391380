// SPDX-License-Identifier: Apache-2.0
// Which instructions this processor has, and which number type products are computed in.
#pragma once

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string_view>

namespace stamp::cpu {

/// Instruction sets that kernels are written for, weakest first. Everything vectorised exists for
/// each of them in one binary; the choice is made at run time.
enum class Isa {
  none,    ///< x86-64 without AVX2: this backend does not run
  avx2,    ///< AVX2 and FMA
  avx512,  ///< AVX-512 F, BW, DQ, VL with VNNI and BF16 (Zen 4, Cooper Lake …)
  amx,     ///< that and AMX tiles of bfloat16 and int8 (Sapphire Rapids and later)
};

/// What the big matrices are kept and multiplied in. Activations, norms, softmax, embedding rows
/// and the mask classifier are float32 in all of them.
enum class Compute {
  fp32,  ///< float32 weights, float32 products
  bf16,  ///< bfloat16 weights; products of bfloat16 numbers, summed in float32
  int8,  ///< a scale a row of W, a scale a token of x; products of 8-bit integers, summed exactly
};

namespace detail {

/// The processor has AMX, and the kernel saves the tiles of this process: it asks to be asked once
/// (ARCH_REQ_XCOMP_PERM for XTILEDATA), for all threads.
[[nodiscard]] inline bool tiles_are_granted() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned features = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &features) == 0) return false;
  constexpr unsigned bf16 = 1U << 22U;
  constexpr unsigned tile = 1U << 24U;
  constexpr unsigned int8 = 1U << 25U;
  if ((features & bf16) == 0 || (features & tile) == 0 || (features & int8) == 0) return false;
  constexpr long request_permission = 0x1023;
  constexpr long tile_data = 18;
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

}  // namespace detail

/// The best that this processor and its operating system offer.
[[nodiscard]] inline Isa detected_isa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::none;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  if (!wide) return Isa::avx2;
  static const bool tiles = detail::tiles_are_granted();
  return tiles ? Isa::amx : Isa::avx512;
}

/// bf16 where the processor multiplies bfloat16 numbers; elsewhere fp32, because widening every
/// weight at every use would be slower than keeping it wide.
[[nodiscard]] constexpr Compute best_compute(Isa isa) {
  return isa >= Isa::avx512 ? Compute::bf16 : Compute::fp32;
}

[[nodiscard]] constexpr std::string_view name_of(Isa isa) {
  return isa == Isa::amx      ? "AMX"
         : isa == Isa::avx512 ? "AVX-512"
         : isa == Isa::avx2   ? "AVX2"
                              : "no AVX2";
}
[[nodiscard]] constexpr std::string_view name_of(Compute compute) {
  return compute == Compute::fp32 ? "fp32" : compute == Compute::bf16 ? "bf16" : "int8";
}

/// The type of that name; empty where there is none.
[[nodiscard]] constexpr std::optional<Compute> compute_named(std::string_view name) {
  for (const Compute compute : {Compute::fp32, Compute::bf16, Compute::int8}) {
    if (name_of(compute) == name) return compute;
  }
  return std::nullopt;
}

}  // namespace stamp::cpu
