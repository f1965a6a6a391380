// SPDX-License-Identifier: Apache-2.0
// What a checkpoint folder is: everything but the tokenizer that a model needs, found, read and
// checked. A folder is a full checkpoint, or a LoRA adapter that leads to one.
#pragma once

#include <filesystem>
#include <memory>
#include <stamp/checkpoint/adapted_weights.hpp>
#include <stamp/checkpoint/config.hpp>
#include <stamp/checkpoint/generation_config.hpp>
#include <stamp/checkpoint/preprocessor_config.hpp>
#include <vector>

namespace stamp::checkpoint {

/// An open checkpoint. `weights` is shared so that models may outlive the rest.
struct Checkpoint {
  std::filesystem::path folder;            ///< as asked for
  std::filesystem::path base;              ///< where config.json and the weights are
  std::filesystem::path tokenizer_folder;  ///< where tokenizer.json (or vocab.json) is
  qwen2_vl::Config config;                 ///< vocab_size as the embedding has rows
  GenerationConfig generation;
  PreprocessorConfig preprocessor;
  std::shared_ptr<const AdaptedWeights> weights;
};

namespace detail {

[[nodiscard]] bool stands(const std::filesystem::path& path);

/// The folder that answers for a file: the adapter's own copy before the base's.
[[nodiscard]] std::filesystem::path nearest(const Checkpoint& checkpoint, const char* file);

}  // namespace detail

/// The folders that `open_checkpoint` reads: the one asked for, and an adapter's base. Throws as it
/// does.
[[nodiscard]] std::vector<std::filesystem::path> checkpoint_folders(
    const std::filesystem::path& folder, const std::filesystem::path& base = {});

/// Opens a checkpoint or adapter folder; `base` overrides the adapter's own word. Reads headers
/// only, so a 2B model opens in milliseconds. Throws Error{input} naming file, field or tensor.
[[nodiscard]] Checkpoint open_checkpoint(const std::filesystem::path& folder,
                                         const std::filesystem::path& base = {},
                                         MergeInto into = MergeInto::stored_type);

}  // namespace stamp::checkpoint
