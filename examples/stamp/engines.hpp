// SPDX-License-Identifier: Apache-2.0
// From the names on the command line to an engine type.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <stamp/cpu/engine.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/session/model.hpp>
#include <string_view>

#include "cuda_choice.hpp"
#include "settings.hpp"

namespace stamp::command {

/// What runs, for the reader and for result.json.
struct Choice {
  std::string_view backend;
  std::string_view dtype;
};

/// What a command runs on where neither --backend nor --dtype says.
enum class Prefer {
  speed,     ///< the fastest backend in the type that is fastest there and keeps the masks
  exactness  ///< the fastest backend in fp32
};

/// Throws Error{resource} for a backend that was not built or does not run on this processor,
/// Error{usage} for a type that the backend does not compute in. Without --backend a processor
/// that the fast backend does not run on gets the reference. CUDA runs where it is asked for.
[[nodiscard]] inline Choice choose(const Settings& settings, Prefer prefer) {
  const cpu::Isa isa = cpu::detected_isa();
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
    require_cuda();
    if (!settings.dtype.empty()) return {"cuda", offered("cuda", {"fp32", "bf16"})};
    return {"cuda", prefer == Prefer::exactness ? "fp32" : "bf16"};
  }
  if (fast) {
    if (!settings.dtype.empty()) return {"cpu", offered("cpu", {"fp32", "bf16", "int8"})};
    return {"cpu", prefer == Prefer::exactness ? "fp32" : cpu::name_of(cpu::best_compute(isa))};
  }
  if (settings.dtype.empty()) return {"reference", "fp32"};
  return {"reference", offered("reference", {"fp32", "bf16", "fp64"})};
}

/// run.operator()<Engine>() for the chosen engine.
template <class Run>
int with_engine(const Choice& choice, const Run& run) {
  if (choice.backend == "cuda") return with_cuda_engine(choice.dtype, run);
  if (choice.backend == "cpu") return run.template operator()<cpu::Engine>();
  if (choice.dtype == "bf16") return run.template operator()<reference::Engine<bfloat16>>();
  if (choice.dtype == "fp64") return run.template operator()<reference::Engine<double>>();
  return run.template operator()<reference::Engine<float>>();
}

/// The checkpoint on the chosen engine.
template <class B>
[[nodiscard]] Model<B> load_on(const Choice& choice, const std::filesystem::path& folder,
                               const LoadOptions& options) {
  if constexpr (std::same_as<B, cpu::Engine>) {
    const auto compute = choice.dtype == "int8"   ? cpu::Compute::int8
                         : choice.dtype == "bf16" ? cpu::Compute::bf16
                                                  : cpu::Compute::fp32;
    return load<B>(folder, options, compute);
  } else {
    return load<B>(folder, options);
  }
}

}  // namespace stamp::command
