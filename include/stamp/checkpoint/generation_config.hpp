// SPDX-License-Identifier: Apache-2.0
// generation_config.json: how the makers of a checkpoint want answers to be sampled.
// Field names and defaults of transformers' GenerationConfig (4.57.1).
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/tensor/axis.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// Greedy where the file says nothing, or where there is no file.
struct GenerationConfig {
  bool do_sample = false;
  double temperature = 1.0;
  double top_p = 1.0;
  Index top_k = 50;  ///< 0: no limit
  double repetition_penalty = 1.0;
  std::vector<Index> eos_token_ids;
};

/// Throws Error{input} "WHERE: FIELD VALUE: RULE".
[[nodiscard]] GenerationConfig parse_generation_config(const nlohmann::json& json,
                                                       const std::string& where);

/// The defaults when there is no such file.
[[nodiscard]] GenerationConfig read_generation_config(const std::filesystem::path& path);

}  // namespace stamp::checkpoint
