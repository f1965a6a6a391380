// SPDX-License-Identifier: Apache-2.0
// From a choice to SAM on an engine.
#pragma once

#include <stamp/session/sam_model.hpp>

#include "engines.hpp"

namespace stamp::command {

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
