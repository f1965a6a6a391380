// SPDX-License-Identifier: Apache-2.0
// What this processor can compute in.
#pragma once

#include <stamp/cpu.hpp>
#include <string>

namespace stamp::test {

/// Why the cpu backend cannot run in a type here; empty where it can.
[[nodiscard]] inline std::string why_not_on_cpu(cpu::Compute compute) {
  if (cpu::best_isa() < cpu::Isa::avx2) return "this processor lacks AVX2";
  if (compute == cpu::Compute::fp32 || cpu::best_isa() >= cpu::Isa::avx512) return {};
  return "this processor lacks AVX512-BF16 or AVX512-VNNI: no " + std::string(name_of(compute));
}

}  // namespace stamp::test
