// SPDX-License-Identifier: Apache-2.0
// A PEFT LoRA adapter folder: which base tensors it changes, and which it replaces.
// Mirrors what `PeftModel.from_pretrained` accepts and `merge_and_unload` makes of it (peft 0.18).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stamp/checkpoint/lora_config.hpp>
#include <stamp/checkpoint/lora_merge.hpp>
#include <stamp/checkpoint/shards.hpp>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// The adapter's tensors under the canonical names of the weights they belong to, all shapes
/// checked against the base.
class LoraAdapter {
 public:
  /// Throws Error{input} naming the adapter's key, what was found and what was expected.
  LoraAdapter(const std::filesystem::path& folder, const CheckpointWeights& base);

  /// The update of a weight, if it has one.
  [[nodiscard]] std::optional<LowRank> update(std::string_view name) const;
  /// The tensor that takes the place of the base's (`modules_to_save`, resized embeddings).
  [[nodiscard]] std::optional<StoredTensor> replacement(std::string_view name) const;
  [[nodiscard]] const TensorEntry* replaced_entry(std::string_view name) const;
  [[nodiscard]] bool changes(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> replaced_names() const;
  [[nodiscard]] const LoraConfig& config() const { return config_; }
  [[nodiscard]] const Safetensors& file() const { return file_; }

 private:
  struct Pair {
    const TensorEntry* a = nullptr;
    const TensorEntry* b = nullptr;
  };
  /// PEFT may write a module up to three times; the trained copy is the strongest.
  enum class Origin { plain, trained };
  struct Replacement {
    const TensorEntry* entry = nullptr;
    Origin origin = Origin::plain;
  };

  [[nodiscard]] static std::filesystem::path weights_of(const std::filesystem::path& folder);

  [[nodiscard]] static std::string_view module_of(std::string_view weight);
  [[nodiscard]] std::string label(const TensorEntry& entry) const;

  /// "base_model.model.NAME.lora_A.weight" (or ".lora_A.default.weight") belongs to NAME.weight.
  void sort_in(const TensorEntry& entry);

  void check_pair(const std::string& name, const Pair& pair, const CheckpointWeights& base) const;

  void expect(const TensorEntry& entry, const std::vector<Index>& shape, const char* what) const;
  void check_floating(const TensorEntry& entry) const;

  /// Vocabularies may be cut or padded by an adapter, all other shapes are the base's. Only the
  /// head and the classifier may be new.
  void check_replacement(const std::string& name, const CheckpointWeights& base) const;

  /// A target may be spelled with the names of either generation.
  [[nodiscard]] static bool is_target(std::string_view weight, const std::string& target);

  void check_targets(const CheckpointWeights& base) const;

  std::string where_;
  LoraConfig config_;
  Safetensors file_;
  std::map<std::string, Pair, std::less<>> pairs_;  ///< by the weight they change
  std::map<std::string, Replacement, std::less<>> replacements_;
};

}  // namespace stamp::checkpoint
