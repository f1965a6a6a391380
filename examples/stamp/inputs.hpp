// SPDX-License-Identifier: Apache-2.0
// What a run reads, so that nothing it writes replaces it (<stamp/session/result_folder.hpp>).
#pragma once

#include <filesystem>
#include <stamp/checkpoint/folder.hpp>
#include <stamp/checkpoint/sam_weights.hpp>
#include <vector>

#include "settings.hpp"

namespace stamp::command {

using Inputs = std::vector<std::filesystem::path>;

/// The folders of a checkpoint: its own, and an adapter's base. Throws as opening it does.
[[nodiscard]] inline Inputs inputs_of_model(const Settings& s) {
  return checkpoint::checkpoint_folders(model_folder(s), s.base.value_or(""));
}

/// A SAM checkpoint, and what tells its sizes. Throws as opening it does.
[[nodiscard]] inline Inputs inputs_of_sam(const std::filesystem::path& given) {
  const auto file = checkpoint::sam_file(given);
  return {file, file.parent_path() / "config.json"};
}

}  // namespace stamp::command
