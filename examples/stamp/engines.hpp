// SPDX-License-Identifier: Apache-2.0
// From the names on the command line to an engine type.
#pragma once

#include <fmt/format.h>

#include <stamp/reference/engine.hpp>
#include <string_view>

#include "settings.hpp"

namespace stamp::command {

/// What runs, for the reader and for result.json.
struct Choice {
  std::string_view backend;
  std::string_view dtype;
};

/// Throws Error{resource} for a backend that was not built, Error{usage} for a type that the
/// backend does not compute in.
[[nodiscard]] inline Choice choose(const Settings& settings) {
  if (settings.backend != "" && settings.backend != "reference") {
    fail(Fault::resource, fmt::format("backend not built: --backend {}: expected reference, the "
                                      "only one in this build, found {}",
                                      settings.backend, settings.backend));
  }
  for (const std::string_view dtype : {"fp32", "bf16", "fp64"}) {
    if (settings.dtype == dtype) return {"reference", dtype};
  }
  if (settings.dtype.empty()) return {"reference", "fp32"};
  fail(Fault::usage, fmt::format("type not offered: --dtype {}: expected fp32, bf16 or fp64 on the "
                                 "reference backend",
                                 settings.dtype));
}

/// run.operator()<Engine>() for the chosen engine.
template <class Run>
int with_engine(const Choice& choice, const Run& run) {
  if (choice.dtype == "bf16") return run.template operator()<reference::Engine<bfloat16>>();
  if (choice.dtype == "fp64") return run.template operator()<reference::Engine<double>>();
  return run.template operator()<reference::Engine<float>>();
}

}  // namespace stamp::command
