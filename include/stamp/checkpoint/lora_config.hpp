// SPDX-License-Identifier: Apache-2.0
// adapter_config.json of a PEFT LoRA adapter. Field names of peft's LoraConfig (0.18).
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <stamp/checkpoint/names.hpp>
#include <stamp/tensor/axis.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// What merging needs. `target_modules` is empty where the file holds a pattern: which modules
/// were trained is then what the adapter's tensors say, no pattern from a file is ever run.
struct LoraConfig {
  Index r = 8;
  double lora_alpha = 8;
  bool use_rslora = false;
  bool ensure_weight_tying = false;
  std::map<std::string, Index> rank_pattern;
  std::map<std::string, double> alpha_pattern;
  std::vector<std::string> target_modules;
  std::vector<std::string> modules_to_save;
  std::string base_model_name_or_path;

  /// Rank of one module, "model.layers.0.self_attn.q_proj".
  [[nodiscard]] Index rank(std::string_view module) const;
  /// s of W + s·B·A: alpha/r, or alpha/sqrt(r) for rank-stabilised LoRA (arXiv 2312.03732).
  [[nodiscard]] double scale(std::string_view module) const;

  /// PEFT's rule for lists: the whole name, or its end after a dot.
  [[nodiscard]] static bool matches(std::string_view module, std::string_view target);

 private:
  template <class Value>
  [[nodiscard]] static Value of_module(const std::map<std::string, Value>& pattern,
                                       std::string_view module, Value otherwise) {
    for (const auto& [target, value] : pattern) {
      if (matches(module, target)) return value;
    }
    return otherwise;
  }
};

/// Throws Error{input} "WHERE: FIELD VALUE: RULE".
[[nodiscard]] LoraConfig parse_lora_config(const nlohmann::json& json, const std::string& where);

}  // namespace stamp::checkpoint
