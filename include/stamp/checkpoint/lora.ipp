// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/lora.hpp>.
#pragma once

#include <stamp/checkpoint/lora.hpp>

namespace stamp::checkpoint {

LoraAdapter::LoraAdapter(const std::filesystem::path& folder, const CheckpointWeights& base)
    : where_(shown(folder / "adapter_config.json")),
      config_(parse_lora_config(read_json(folder / "adapter_config.json"), where_)),
      file_(weights_of(folder)) {
  for (const TensorEntry& entry : file_.entries()) sort_in(entry);
  for (const auto& [name, pair] : pairs_) check_pair(name, pair, base);
  for (const auto& [name, replacement] : replacements_) check_replacement(name, base);
  check_targets(base);
}

std::optional<LowRank> LoraAdapter::update(std::string_view name) const {
  const auto pair = pairs_.find(name);
  if (pair == pairs_.end()) return std::nullopt;
  return LowRank{file_.view(*pair->second.a), file_.view(*pair->second.b),
                 config_.scale(module_of(name))};
}

std::optional<StoredTensor> LoraAdapter::replacement(std::string_view name) const {
  const auto found = replacements_.find(name);
  if (found == replacements_.end()) return std::nullopt;
  return file_.view(*found->second.entry);
}

const TensorEntry* LoraAdapter::replaced_entry(std::string_view name) const {
  const auto found = replacements_.find(name);
  return found == replacements_.end() ? nullptr : found->second.entry;
}

bool LoraAdapter::changes(std::string_view name) const {
  return pairs_.contains(name) || replacements_.contains(name);
}

std::vector<std::string> LoraAdapter::replaced_names() const {
  std::vector<std::string> names;
  names.reserve(replacements_.size());
  for (const auto& [name, replacement] : replacements_) names.push_back(name);
  return names;
}

std::filesystem::path LoraAdapter::weights_of(const std::filesystem::path& folder) {
  const auto path = folder / "adapter_model.safetensors";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) &&
      std::filesystem::exists(folder / "adapter_model.bin", ignored)) {
    fail(Fault::input, shown(folder) +
                           ": no adapter_model.safetensors, only adapter_model.bin: "
                           "this is a PyTorch pickle; expected safetensors");
  }
  return path;
}

std::string_view LoraAdapter::module_of(std::string_view weight) {
  return weight.substr(0, weight.rfind('.'));
}

std::string LoraAdapter::label(const TensorEntry& entry) const {
  return shown(file_.path()) + ": " + printable(entry.name);
}

void LoraAdapter::sort_in(const TensorEntry& entry) {
  std::string_view key = entry.name;
  constexpr std::string_view prefix = "base_model.model.";
  if (key.starts_with(prefix)) key.remove_prefix(prefix.size());
  const auto before = [&](std::string_view infix) -> std::optional<std::string_view> {
    const auto at = key.find(infix);
    if (at == key.npos) return std::nullopt;
    return key.substr(0, at);
  };
  const auto leaf = std::string(key.substr(key.rfind('.') + 1));
  const auto a = before(".lora_A."), b = before(".lora_B.");
  if (a || b) {
    if (leaf != "weight")
      fail(Fault::input, label(entry) + ": must be a weight, biases of LoRA are not built");
    Pair& pair = pairs_[canonical_name(a ? *a : *b) + ".weight"];
    const TensorEntry*& side = a ? pair.a : pair.b;
    if (side != nullptr)
      fail(Fault::input, label(entry) + ": stands twice, also as " + printable(side->name));
    side = &entry;
    return;
  }
  if (key.find("lora_") != key.npos) {
    fail(Fault::input,
         label(entry) + ": this kind of LoRA tensor is not built, expected lora_A and lora_B");
  }
  if (before(".original_module.")) return;  // the base's own tensor, saved along
  const auto saved = before(".modules_to_save.");
  const auto plain = before(".base_layer.");
  const std::string name =
      saved || plain ? canonical_name(saved ? *saved : *plain) + "." + leaf : canonical_name(key);
  const Replacement replacement{&entry, saved ? Origin::trained : Origin::plain};
  const auto [place, added] = replacements_.try_emplace(name, replacement);
  if (!added && replacement.origin > place->second.origin) place->second = replacement;
}

void LoraAdapter::check_pair(const std::string& name, const Pair& pair,
                             const CheckpointWeights& base) const {
  if (pair.a == nullptr || pair.b == nullptr) {
    fail(Fault::input, label(pair.a == nullptr ? *pair.b : *pair.a) + ": found alone, expected " +
                           (pair.a == nullptr ? "lora_A" : "lora_B") + " beside it");
  }
  const auto weight = base.find(name);
  if (!weight) {
    fail(Fault::input, label(*pair.a) + ": target not in the model, found no " + printable(name) +
                           " in " + shown(base.folder()));
  }
  const Index rank = config_.rank(module_of(name));
  std::vector<Index> a(weight->shape().begin(), weight->shape().end());
  if (a.size() < 2) fail(Fault::input, label(*pair.a) + ": target is no matrix");
  std::vector<Index> b(a.size(), 1);
  b[0] = a[0];
  b[1] = rank;
  a[0] = rank;
  expect(*pair.a, a, "rank, then what the weight takes in");
  expect(*pair.b, b, "what the weight gives out, then rank");
  if (config_.target_modules.empty()) return;
  for (const std::string& target : config_.target_modules) {
    if (is_target(name, target)) return;
  }
  fail(Fault::input,
       label(*pair.a) + ": found a module that target_modules of " + where_ + " does not name");
}

void LoraAdapter::expect(const TensorEntry& entry, const std::vector<Index>& shape,
                         const char* what) const {
  if (entry.shape != shape) {
    fail(Fault::input, label(entry) + ": expected " + to_string(shape) + " (" + what + "), found " +
                           to_string(entry.shape));
  }
  check_floating(entry);
}

void LoraAdapter::check_floating(const TensorEntry& entry) const {
  const auto type = element_type(entry.dtype);
  if (!type || *type == ElementType::int32 || *type == ElementType::int64) {
    fail(Fault::input, label(entry) + ": expected a floating-point type, found " + entry.dtype);
  }
}

void LoraAdapter::check_replacement(const std::string& name, const CheckpointWeights& base) const {
  const TensorEntry& entry = *replacements_.find(name)->second.entry;
  check_floating(entry);
  const TensorEntry* original = base.entry(name);
  if (original == nullptr) {
    const bool may_be_new = name == "lm_head.weight" || name.starts_with("classifier.");
    if (may_be_new) return;
    fail(Fault::input, label(entry) + ": target not in the model, found no " + printable(name) +
                           " in " + shown(base.folder()));
  }
  const bool vocabulary = name == "model.embed_tokens.weight" || name == "lm_head.weight";
  std::vector<Index> expected = original->shape;
  if (vocabulary && !expected.empty() && !entry.shape.empty()) expected[0] = entry.shape[0];
  expect(entry, expected, "the base's shape");
}

bool LoraAdapter::is_target(std::string_view weight, const std::string& target) {
  return LoraConfig::matches(module_of(weight), target) ||
         LoraConfig::matches(module_of(weight), canonical_name(target));
}

void LoraAdapter::check_targets(const CheckpointWeights& base) const {
  if (pairs_.empty() && replacements_.empty()) {
    fail(Fault::input, shown(file_.path()) + ": found no tensors, expected LoRA weights");
  }
  const auto& targets = config_.target_modules;
  bool met = targets.empty();
  for (const std::string& name : base.names()) {
    for (const std::string& target : targets) met = met || is_target(name, target);
  }
  if (!met) {
    fail(Fault::input, where_ + ": target_modules " + printable(targets.front()) +
                           ": target not in the model, found in no tensor's name of " +
                           shown(base.folder()));
  }
  for (const std::string& module : config_.modules_to_save) {
    bool held = false;
    for (const auto& [name, replacement] : replacements_) held = held || is_target(name, module);
    if (!held) {
      fail(Fault::input, where_ + ": modules_to_save " + printable(module) +
                             ": expected its tensors in the adapter, found none");
    }
  }
}

}  // namespace stamp::checkpoint
