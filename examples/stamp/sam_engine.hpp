// SPDX-License-Identifier: Apache-2.0
// SAM on the engine that the command line asks for.
#pragma once

#include <stamp/session/sam_model.hpp>

#include "engines.hpp"

namespace stamp::command {

/// run.operator()<Engine>() for the chosen engine, if it has SAM's operations.
template <class Run>
int with_sam_engine(const Choice& choice, const Run& run) {
  return with_engine(choice, [&]<class B>() -> int {
    if constexpr (SamBackend<B>) {
      return run.template operator()<B>();
    } else {
      fail(Fault::resource,
           "SAM is not built for this backend: --backend " + std::string(choice.backend) +
               ": expected reference or cpu, found " + std::string(choice.backend));
    }
  });
}

/// SAM on the chosen engine. The fast one keeps float32 unless it is told otherwise.
template <class B>
[[nodiscard]] SamModel<B> open_sam(const std::filesystem::path& file, const Choice& choice,
                                   Index threads) {
  if constexpr (std::same_as<B, cpu::Engine>) {
    return load_sam<B>(file, threads, cpu::compute_named(choice.dtype).value());
  } else {
    return load_sam<B>(file, threads);
  }
}

}  // namespace stamp::command
