// SPDX-License-Identifier: Apache-2.0
// config.json of a SAM checkpoint in Hugging Face layout. Mirrors configuration_sam.py (4.57.1).
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/model/sam/config.hpp>
#include <string>

namespace stamp::checkpoint {

/// The model that `json` describes; `where` names the file. Sizes that it leaves out are those of
/// vit_b, as in SamConfig. Throws Error{input} "WHERE: FIELD VALUE: RULE".
[[nodiscard]] sam::Config parse_sam_config(const nlohmann::json& json, const std::string& where);

/// The same of a config.json, with the errors of read_json for one that cannot be read.
[[nodiscard]] sam::Config read_sam_config(const std::filesystem::path& path);

}  // namespace stamp::checkpoint
