// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/lora_config.hpp>.
#pragma once

#include <cmath>
#include <stamp/checkpoint/json_fields.hpp>
#include <stamp/checkpoint/lora_config.hpp>

namespace stamp::checkpoint {

Index LoraConfig::rank(std::string_view module) const { return of_module(rank_pattern, module, r); }

double LoraConfig::scale(std::string_view module) const {
  const double alpha = of_module(alpha_pattern, module, lora_alpha);
  const auto rows = static_cast<double>(rank(module));
  return alpha / (use_rslora ? std::sqrt(rows) : rows);
}

bool LoraConfig::matches(std::string_view module, std::string_view target) {
  return module == target || (module.size() > target.size() && module.ends_with(target) &&
                              module[module.size() - target.size() - 1] == '.');
}

namespace detail {

inline constexpr IntegerRange lora_rank{1, 65'536};

inline constexpr NumberRange lora_alpha{1e-6, 1e9};

/// A table from module names; PEFT reads its keys as regular expressions, plain names are enough.
template <class Value, class Read>
[[nodiscard]] std::map<std::string, Value> read_pattern(const Fields& fields, const char* name,
                                                        Read read) {
  std::map<std::string, Value> pattern;
  const auto* object = fields.find(name);
  if (object == nullptr) return pattern;
  if (!object->is_object()) fields.wrong(name, *object, "must be an object");
  for (const auto& [spelled, value] : object->items()) {
    const std::string module = canonical_name(spelled);
    const bool plain = module.find_first_of("^$*+?()[]{}|\\") == std::string::npos;
    if (!plain) fields.wrong(name, module, "must be a plain module name, patterns are not built");
    for (const auto& [other, value_of_other] : pattern) {
      // Which one wins would depend on their order in the file, which a JSON object does not have.
      if (LoraConfig::matches(module, other) || LoraConfig::matches(other, module)) {
        fields.wrong(name, module, "must not overlap with " + printable(other));
      }
    }
    pattern[module] = read(value);
  }
  return pattern;
}

[[nodiscard]] inline std::vector<std::string> read_names(const Fields& fields, const char* name) {
  std::vector<std::string> names;
  const auto* list = fields.find(name);
  if (list == nullptr || list->is_string()) return names;
  if (!list->is_array()) fields.wrong(name, *list, "must be a list of module names");
  for (const auto& element : *list) {
    if (!element.is_string()) fields.wrong(name, element, "must be a module name");
    names.push_back(element.get<std::string>());
  }
  return names;
}

/// Variants that change the formula are refused by their names, so that nothing is merged wrongly.
inline void refuse_variants(const Fields& fields) {
  for (const auto* flag : {"use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"}) {
    if (fields.boolean_or(flag, false)) fields.wrong(flag, true, "must be false, it is not built");
  }
  for (const auto* field : {"layer_replication", "trainable_token_indices", "target_parameters",
                            "alora_invocation_tokens", "arrow_config"}) {
    const auto* value = fields.find(field);
    if (value != nullptr && !value->empty()) {
      fields.wrong(field, *value, "must be null, it is not built");
    }
  }
}

}  // namespace detail

LoraConfig parse_lora_config(const nlohmann::json& json, const std::string& where) {
  const Fields fields(json, where);
  const auto type = fields.text("peft_type");
  if (!type) fields.absent("peft_type", "must be LORA");
  if (*type != "LORA") fields.wrong("peft_type", *type, "must be LORA");
  detail::refuse_variants(fields);

  LoraConfig config;
  config.r = fields.integer("r", detail::lora_rank);
  config.lora_alpha = fields.number("lora_alpha", detail::lora_alpha);
  config.use_rslora = fields.boolean_or("use_rslora", false);
  config.ensure_weight_tying = fields.boolean_or("ensure_weight_tying", false);
  config.rank_pattern =
      detail::read_pattern<Index>(fields, "rank_pattern", [&](const nlohmann::json& value) {
        return fields.as_integer("rank_pattern", value, detail::lora_rank);
      });
  config.alpha_pattern =
      detail::read_pattern<double>(fields, "alpha_pattern", [&](const nlohmann::json& value) {
        return fields.as_number("alpha_pattern", value, detail::lora_alpha);
      });
  config.target_modules = detail::read_names(fields, "target_modules");
  config.modules_to_save = detail::read_names(fields, "modules_to_save");
  config.base_model_name_or_path = fields.text("base_model_name_or_path").value_or("");
  return config;
}

}  // namespace stamp::checkpoint
