// SPDX-License-Identifier: Apache-2.0
// config.json of a Qwen2-VL checkpoint: the flat form of old files, and the form with a nested
// `text_config` that newer transformers write. Mirrors configuration_qwen2_vl.py (4.57.1).
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/model/qwen2_vl/config.hpp>
#include <string>

namespace stamp::checkpoint {

/// Upper ends of what a file may ask for, far above every published model.
namespace largest {
inline constexpr Index hidden = 65'536;
inline constexpr Index ffn = 1 << 20;
inline constexpr Index layers = 1024;
inline constexpr Index heads = 1024;
inline constexpr Index vocabulary = 1 << 24;
inline constexpr Index positions = 1 << 24;
inline constexpr Index patch = 256;
inline constexpr Index merge = 16;
}  // namespace largest

/// The model that `json` describes; `where` names the file. Throws Error{input} "WHERE: FIELD
/// VALUE: RULE". `text.vocab_size` is the file's word only: the embedding's rows decide.
[[nodiscard]] qwen2_vl::Config parse_config(const nlohmann::json& json, const std::string& where);

/// The same of a config.json, with the errors of read_json for one that cannot be read.
[[nodiscard]] qwen2_vl::Config read_config(const std::filesystem::path& path);

}  // namespace stamp::checkpoint
