// SPDX-License-Identifier: Apache-2.0
// One name for every tensor, whichever generation of transformers wrote it.
// Mirrors `_checkpoint_conversion_mapping` of transformers' Qwen2VLForConditionalGeneration,
// towards the old names: those stand in the released checkpoints, and also in what 4.57.1 saves.
#pragma once

#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// "model.language_model.norm.weight" and "model.norm.weight" both give "model.norm.weight";
/// "model.visual.merger..." gives "visual.merger...". Other names stay as they are.
[[nodiscard]] std::string canonical_name(std::string_view name);

}  // namespace stamp::checkpoint
