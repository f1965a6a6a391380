// SPDX-License-Identifier: Apache-2.0
// From a choice to an engine.
#pragma once

#include <stamp/cpu/engine.hpp>
#include <stamp/reference/engine.hpp>

#include "choice.hpp"

namespace stamp::command {

/// run.operator()<Engine>() for the chosen engine.
template <class Run>
int with_engine(const Choice& choice, const Run& run) {
  if (choice.backend == "cuda") return with_cuda_engine(choice.dtype, run);
  if (choice.backend == "cpu") return run.template operator()<cpu::Engine>();
  if (choice.dtype == "bf16") return run.template operator()<reference::Engine<bfloat16>>();
  if (choice.dtype == "fp64") return run.template operator()<reference::Engine<double>>();
  return run.template operator()<reference::Engine<float>>();
}

}  // namespace stamp::command
