// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/adapted_weights.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/adapted_weights.hpp>

namespace stamp::checkpoint {

AdaptedWeights::AdaptedWeights(const std::filesystem::path& base,
                               const std::filesystem::path& adapter, MergeInto into)
    : base_(base), into_(into) {
  adapter_.emplace(adapter, base_);
}

std::optional<StoredTensor> AdaptedWeights::find(std::string_view name) const {
  if (keeps_head_ && name == "lm_head.weight") return base_.find("model.embed_tokens.weight");
  if (!adapter_ || !adapter_->changes(name)) return base_.find(name);
  const auto replacement = adapter_->replacement(name);
  const auto update = adapter_->update(name);
  if (!update) return replacement;

  const std::lock_guard lock(merging_);
  StoredTensor tensor = replacement ? *replacement : *base_.find(name);
  std::vector<std::byte> wide;
  if (into_ == MergeInto::float32) tensor = widened<float>(tensor, wide);
  if (into_ == MergeInto::float64) tensor = widened<double>(tensor, wide);
  auto known = merged_.find(name);
  if (known == merged_.end()) {
    known = merged_.emplace(std::string(name), merge(tensor, *update)).first;
  }
  tensor.data = known->second.data();
  tensor.mapped = false;
  return tensor;
}

const TensorEntry* AdaptedWeights::entry(std::string_view name) const {
  if (keeps_head_ && name == "lm_head.weight") return base_.entry("model.embed_tokens.weight");
  const TensorEntry* replaced = adapter_ ? adapter_->replaced_entry(name) : nullptr;
  return replaced != nullptr ? replaced : base_.entry(name);
}

std::vector<std::string> AdaptedWeights::names() const {
  std::vector<std::string> names = base_.names();
  if (adapter_) {
    for (std::string& name : adapter_->replaced_names()) {
      if (base_.entry(name) == nullptr) names.push_back(std::move(name));
    }
  }
  if (keeps_head_) names.emplace_back("lm_head.weight");
  std::sort(names.begin(), names.end());
  return names;
}

void AdaptedWeights::check_unchanged() const {
  base_.check_unchanged();
  if (adapter_) adapter_->file().map().check_unchanged();
}

}  // namespace stamp::checkpoint
