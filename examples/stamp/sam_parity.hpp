// SPDX-License-Identifier: Apache-2.0
// A run of SAM that PyTorch exported, made on the engine of a choice (sam_command.cpp).
#pragma once

#include <stamp/session/replay_sam.hpp>
#include <vector>

#include "choice.hpp"

namespace stamp::command {

/// One row a tensor. Throws Error{input} where run, picture and the checkpoint of --model do not
/// fit each other.
[[nodiscard]] std::vector<ParityRow> compare_sam(const Settings& settings, const Choice& choice,
                                                 const ExportedSamRun& run, const Image& image,
                                                 Tolerance tolerance);

}  // namespace stamp::command
