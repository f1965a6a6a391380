// SPDX-License-Identifier: Apache-2.0
// Which backend and which type a command runs on: what was asked for, or the best that works here.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>
#include <stamp/cpu/memory.hpp>
#include <string_view>

#include "cuda_choice.hpp"
#include "settings.hpp"

namespace stamp::command {

/// What runs, for the reader and for result.json.
struct Choice {
  std::string_view backend;
  std::string_view dtype;
  std::string_view note = {};  ///< why it is not the fastest backend, where nobody asked for that
};

/// What a command runs on where neither --backend nor --dtype says.
enum class Prefer {
  speed,     ///< the fastest backend in the type that is fastest there and keeps the masks
  exactness  ///< the fastest backend in fp32
};

/// Throws Error{usage} for --attention where there is nothing to choose: it names a kernel of the
/// cuda backend that multiplies bfloat16.
inline void require_kernels_for(const Settings& settings, const Choice& choice) {
  if (settings.attention.empty()) return;
  if (choice.backend != "cuda") {
    fail(Fault::usage, fmt::format("--attention: expected --backend cuda beside it, found the {} "
                                   "backend",
                                   choice.backend));
  }
  if (choice.dtype == "fp32") {
    fail(Fault::usage, "--attention: expected --dtype bf16, int8 or fp8 beside it, found fp32");
  }
}

/// What runs where the machine has it. Throws Error{usage} for a type that the backend does not
/// compute in.
[[nodiscard]] inline Choice asked_for(const Settings& settings, Prefer prefer, cpu::Isa isa) {
  const bool only_reference = settings.dtype == "fp64";
  const bool fast = settings.backend == "cpu" ||
                    (settings.backend.empty() && !only_reference && isa != cpu::Isa::none);
  const auto offered = [&](std::string_view backend,
                           std::initializer_list<std::string_view> dtypes) {
    for (const std::string_view dtype : dtypes) {
      if (settings.dtype == dtype) return dtype;
    }
    fail(Fault::usage, fmt::format("type not offered: --dtype {}: expected {} on the {} backend",
                                   settings.dtype, fmt::join(dtypes, ", "), backend));
  };
  if (settings.backend == "cuda") {
    const std::string_view best = prefer == Prefer::exactness ? "fp32" : "bf16";
    const std::string_view dtype =
        settings.dtype.empty() ? best : offered("cuda", {"fp32", "bf16", "int8", "fp8"});
    return {"cuda", dtype};
  }
  if (fast) {
    if (!settings.dtype.empty()) return {"cpu", offered("cpu", {"fp32", "bf16", "int8"})};
    return {"cpu", prefer == Prefer::exactness ? "fp32" : cpu::name_of(cpu::best_compute(isa))};
  }
  const std::string_view note =
      settings.backend.empty() && isa == cpu::Isa::none
          ? "this processor lacks AVX2 and FMA, so the slow reference backend runs"
          : "";
  if (settings.dtype.empty()) return {"reference", "fp32", note};
  return {"reference", offered("reference", {"fp32", "bf16", "fp64"}), note};
}

/// Throws Error{usage} for a type that the backend does not compute in and for kernels that it does
/// not have, then Error{resource} for a backend, or a kernel of it, that was not built or does not
/// run here. Without --backend a processor that the fast backend does not run on gets the
/// reference. CUDA runs where it is asked for.
[[nodiscard]] inline Choice choose(const Settings& settings, Prefer prefer,
                                   cpu::Isa isa = cpu::best_isa()) {
  const Choice choice = asked_for(settings, prefer, isa);
  require_kernels_for(settings, choice);
  if (choice.backend == "cuda") require_cuda(settings.attention);
  return choice;
}

/// Throws Error{usage} for 8 bits on the cuda backend, which keeps only language models in them.
inline void require_type_of_sam(const Settings& settings) {
  if (settings.backend != "cuda" || (settings.dtype != "int8" && settings.dtype != "fp8")) return;
  fail(Fault::usage, fmt::format("type not offered: --dtype {}: expected fp32, bf16 for SAM on the "
                                 "cuda backend",
                                 settings.dtype));
}

}  // namespace stamp::command
