// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/generation_config.hpp>.
#pragma once

#include <stamp/checkpoint/generation_config.hpp>
#include <stamp/checkpoint/json_fields.hpp>

namespace stamp::checkpoint {

GenerationConfig parse_generation_config(const nlohmann::json& json, const std::string& where) {
  const Fields fields(json, where);
  constexpr Index largest_id = (1 << 24) - 1;
  GenerationConfig config;
  config.do_sample = fields.boolean_or("do_sample", config.do_sample);
  config.temperature = fields.number_or("temperature", {0, 1e6}, config.temperature);
  config.top_p = fields.number_or("top_p", {0, 1}, config.top_p);
  config.top_k = fields.integer_or("top_k", {0, largest_id}, config.top_k);
  config.repetition_penalty =
      fields.number_or("repetition_penalty", {1e-6, 1e6}, config.repetition_penalty);
  config.eos_token_ids = fields.integers("eos_token_id", {0, largest_id}, Fields::Alone::allowed);
  return config;
}

GenerationConfig read_generation_config(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return {};
  return parse_generation_config(read_json(path), shown(path));
}

}  // namespace stamp::checkpoint
