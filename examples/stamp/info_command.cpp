// SPDX-License-Identifier: Apache-2.0
// stamp info: what a checkpoint holds, and what is missing, unused or odd about it.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stamp/checkpoint/check_tensors.hpp>
#include <stamp/checkpoint/folder.hpp>
#include <stamp/checkpoint/scan.hpp>
#include <stamp/checkpoint/tensor_file.hpp>
#include <stamp/checkpoint/tensor_problems.hpp>
#include <stamp/model/stamp/model.hpp>
#include <stamp/reference/engine.hpp>

#include "settings.hpp"

namespace stamp::command {
namespace {

using Json = nlohmann::ordered_json;

/// Numbers and bytes by stored type.
template <class Entries>
[[nodiscard]] Json by_type(const Entries& entries) {
  std::map<std::string, std::array<Index, 3>> types;
  for (const auto& entry : entries) {
    Index elements = 1;
    for (const Index extent : entry.shape) elements *= extent;
    auto& sums = types[std::string(entry.dtype)];
    sums[0] += 1;
    sums[1] += elements;
    sums[2] += static_cast<Index>(entry.end - entry.begin);
  }
  Json report = Json::object();
  for (const auto& [type, sums] : types) {
    report[type] = {{"tensors", sums[0]}, {"elements", sums[1]}, {"bytes", sums[2]}};
  }
  return report;
}

[[nodiscard]] Json of_file(const std::filesystem::path& path) {
  const checkpoint::TensorFile file{path};
  Json tensors = Json::array();
  for (const auto& entry : file.entries()) {
    tensors.push_back({{"name", entry.name}, {"dtype", entry.dtype}, {"shape", entry.shape}});
  }
  return {{"file", path.string()},
          {"format", name_of(file.format())},
          {"metadata", file.metadata()},
          {"left_out", file.others()},
          {"types", by_type(file.entries())},
          {"tensors", std::move(tensors)}};
}

[[nodiscard]] Json config_json(const qwen2_vl::Config& c) {
  return {{"vision",
           {{"depth", c.vision.depth},
            {"embed_dim", c.vision.embed_dim},
            {"num_heads", c.vision.num_heads},
            {"mlp_hidden", c.vision.mlp_hidden},
            {"hidden_size", c.vision.hidden_size},
            {"patch_size", c.vision.patch_size},
            {"temporal_patch_size", c.vision.temporal_patch_size},
            {"spatial_merge_size", c.vision.spatial_merge_size}}},
          {"text",
           {{"hidden_size", c.text.hidden_size},
            {"intermediate_size", c.text.intermediate_size},
            {"num_hidden_layers", c.text.num_hidden_layers},
            {"num_attention_heads", c.text.num_attention_heads},
            {"num_key_value_heads", c.text.num_key_value_heads},
            {"vocab_size", c.text.vocab_size},
            {"rms_norm_eps", c.text.rms_norm_eps},
            {"rope_theta", c.text.rope_theta},
            {"mrope_section", c.text.mrope_section},
            {"tie_word_embeddings", c.text.tie_word_embeddings}}},
          {"stored_type", c.stored_type}};
}

[[nodiscard]] Json of_folder(const std::filesystem::path& folder, const Settings& s) {
  const auto opened = checkpoint::open_checkpoint(folder, s.base.value_or(""));
  const Stamp<reference::Backend> stamp(opened.config);
  const auto expected = expected_tensors(stamp);
  std::set<std::string> wanted;
  for (const auto& tensor : expected) wanted.insert(tensor.name);
  std::vector<checkpoint::TensorEntry> entries;
  Json unused = Json::array();
  Json warnings = Json::array();
  for (const std::string& name : opened.weights->names()) {
    const checkpoint::TensorEntry* entry = opened.weights->entry(name);
    entries.push_back(*entry);
    if (!wanted.contains(name)) {
      unused.push_back(name);
    } else if (const auto stored = opened.weights->find(name)) {
      const auto bad = checkpoint::find_non_finite(*stored);
      if (bad.count > 0) {
        warnings.push_back(fmt::format("{} has {} non-finite values, first at index {}", name,
                                       bad.count, bad.first));
      }
      const std::string silent = checkpoint::norm_warning(name, *stored);
      if (!silent.empty()) warnings.push_back(silent);
    }
  }
  return {{"folder", folder.string()},
          {"base", opened.base.string()},
          {"adapter", opened.weights->adapter() != nullptr},
          {"config", config_json(opened.config)},
          {"parameters", count_parameters(stamp)},
          {"types", by_type(entries)},
          {"missing_or_misshapen", checkpoint::tensor_problems(expected, *opened.weights)},
          {"unused", std::move(unused)},
          {"warnings", std::move(warnings)}};
}

/// JSON as indented lines "key  value"; long lists of tensors a line each.
void print_plain(const Json& value, int depth = 0) {
  for (const auto& [key, entry] : value.items()) {
    const bool nested = entry.is_object() || (entry.is_array() && !entry.empty() &&
                                              (entry[0].is_object() || entry[0].is_string()));
    if (!nested) {
      fmt::print("{:{}}{:<22} {}\n", "", depth, key,
                 entry.is_string() ? entry.get<std::string>() : entry.dump());
      continue;
    }
    fmt::print("{:{}}{}\n", "", depth, key);
    if (entry.is_object()) {
      print_plain(entry, depth + 2);
    } else {
      for (const auto& item : entry) {
        if (item.is_string()) {
          fmt::print("{:{}}{}\n", "", depth + 2, item.get<std::string>());
        } else {
          fmt::print("{:{}}{:<60} {:<5} {}\n", "", depth + 2, item["name"].get<std::string>(),
                     item["dtype"].get<std::string>(), item["shape"].dump());
        }
      }
    }
  }
}

}  // namespace

int info_command(const Settings& s) {
  const std::filesystem::path model = model_folder(s);
  std::error_code ignored;
  const bool file = std::filesystem::is_regular_file(model, ignored);
  const Json report = file ? of_file(model) : of_folder(model, s);
  if (s.json) {
    fmt::print("{}\n", report.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_plain(report);
  }
  const bool whole = file || report["missing_or_misshapen"].empty();
  return whole ? 0 : static_cast<int>(Fault::input);
}

}  // namespace stamp::command
