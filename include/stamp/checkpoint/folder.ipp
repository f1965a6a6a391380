// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/folder.hpp>.
#pragma once

#include <stamp/checkpoint/folder.hpp>
#include <string>

namespace stamp::checkpoint {

namespace detail {

bool stands(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

inline void check_folder(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    fail(Fault::input, shown(path) + ": no such folder");
  if (status.type() == fs::file_type::none) {
    fail(Fault::input, shown(path) + ": cannot be opened, " + error.message());
  }
  if (!fs::is_directory(status)) {
    fail(Fault::input, shown(path) +
                           ": not a folder; expected a checkpoint folder with "
                           "config.json and model.safetensors");
  }
  const bool empty = fs::is_empty(path, error);
  if (error) fail(Fault::input, shown(path) + ": cannot be read, " + error.message());
  if (empty)
    fail(Fault::input, shown(path) + ": empty folder, expected config.json and model.safetensors");
}

/// `--base`, else what adapter_config.json says: relative to the adapter's folder, or absolute.
[[nodiscard]] inline std::filesystem::path base_of(const std::filesystem::path& adapter,
                                                   const std::filesystem::path& given) {
  if (!given.empty()) return given;
  const auto path = adapter / "adapter_config.json";
  const std::string name = parse_lora_config(read_json(path), shown(path)).base_model_name_or_path;
  // operator/ gives `name` itself when it is absolute.
  const auto base = adapter / name;
  std::error_code ignored;
  if (!name.empty() && std::filesystem::is_directory(base, ignored)) return base;
  fail(Fault::input, shown(path) + ": base_model_name_or_path " + printable(name) +
                         ": no such folder, give the base checkpoint with --base");
}

std::filesystem::path nearest(const Checkpoint& checkpoint, const char* file) {
  return stands(checkpoint.folder / file) ? checkpoint.folder : checkpoint.base;
}

/// The stored tensors have the last word on the vocabulary's size: STAMP's training cuts the
/// embedding to the tokenizer's length, config.json may still tell the old one.
inline void settle_vocabulary(qwen2_vl::Config& config, const AdaptedWeights& weights) {
  const TensorEntry* embedding = weights.entry("model.embed_tokens.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) return;  // check_tensors says so
  const Index rows = embedding->shape[0];
  const std::string where = shown(weights.base().folder()) + ": model.embed_tokens.weight";
  if (rows < 1 || rows > largest::vocabulary) {
    fail(Fault::input, where + ": has " + std::to_string(rows) + " rows, expected 1 to " +
                           std::to_string(largest::vocabulary));
  }
  config.text.vocab_size = rows;
  for (const Index id :
       {config.tokens.image_pad, config.tokens.vision_start, config.tokens.vision_end}) {
    if (id >= rows) {
      fail(Fault::input, where + ": has " + std::to_string(rows) +
                             " rows, config.json names token " + std::to_string(id));
    }
  }
}

/// What PEFT makes of a tied head (measured with 0.18): an adapter that brings a head unties it;
/// one that replaces only the embedding leaves the head on the base's, unless it asks for tying.
inline void settle_head(qwen2_vl::Config& config, AdaptedWeights& weights) {
  constexpr std::string_view embedding = "model.embed_tokens.weight";
  const LoraAdapter* adapter = weights.adapter();
  if (adapter == nullptr || !config.text.tie_word_embeddings) return;
  if (adapter->changes("lm_head.weight")) {
    config.text.tie_word_embeddings = false;
  } else if (adapter->changes(embedding) && !adapter->config().ensure_weight_tying &&
             weights.base().entry(embedding)->shape == weights.entry(embedding)->shape) {
    weights.keep_head_of_base();
    config.text.tie_word_embeddings = false;
  }
}

}  // namespace detail

std::vector<std::filesystem::path> checkpoint_folders(const std::filesystem::path& folder,
                                                      const std::filesystem::path& base) {
  detail::check_folder(folder);
  if (!detail::stands(folder / "adapter_config.json")) {
    if (base.empty()) return {folder};
    fail(Fault::usage, shown(folder) + ": is no adapter, so --base " + shown(base) + " has no use");
  }
  const auto found = detail::base_of(folder, base);
  detail::check_folder(found);
  if (detail::stands(found / "adapter_config.json")) {
    fail(Fault::input, shown(found) + ": is an adapter itself, expected a full checkpoint");
  }
  return {folder, found};
}

Checkpoint open_checkpoint(const std::filesystem::path& folder, const std::filesystem::path& base,
                           MergeInto into) {
  const auto folders = checkpoint_folders(folder, base);
  const bool adapter = folders.size() > 1;
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  checkpoint.base = folders.back();

  auto& config = checkpoint.config;
  config = read_config(checkpoint.base / "config.json");
  checkpoint.generation = read_generation_config(
      detail::nearest(checkpoint, "generation_config.json") / "generation_config.json");
  checkpoint.preprocessor = read_preprocessor_config(
      detail::nearest(checkpoint, "preprocessor_config.json") / "preprocessor_config.json",
      config.vision);
  const bool whole = detail::stands(folder / "tokenizer.json");
  checkpoint.tokenizer_folder =
      detail::nearest(checkpoint, whole ? "tokenizer.json" : "vocab.json");

  auto weights = adapter ? std::make_shared<AdaptedWeights>(checkpoint.base, folder, into)
                         : std::make_shared<AdaptedWeights>(folder);
  detail::settle_vocabulary(config, *weights);
  detail::settle_head(config, *weights);
  checkpoint.weights = std::move(weights);
  return checkpoint;
}

}  // namespace stamp::checkpoint
