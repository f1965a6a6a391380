// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/shards.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/json_fields.hpp>
#include <stamp/checkpoint/shards.hpp>

namespace stamp::checkpoint {

CheckpointWeights::CheckpointWeights(std::filesystem::path folder) : folder_(std::move(folder)) {
  const auto single = folder_ / "model.safetensors";
  const auto index = folder_ / "model.safetensors.index.json";
  if (stands(single)) {
    files_.emplace_back(single);
  } else if (stands(index)) {
    open_shards(index);
  } else {
    refuse_empty_folder();
  }
  for (const Safetensors& file : files_) enlist(file);
}

std::optional<StoredTensor> CheckpointWeights::find(std::string_view name) const {
  const auto place = places_.find(name);
  if (place == places_.end()) return std::nullopt;
  return place->second.file->view(*place->second.entry);
}

const TensorEntry* CheckpointWeights::entry(std::string_view name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : place->second.entry;
}

std::vector<std::string> CheckpointWeights::names() const {
  std::vector<std::string> names;
  names.reserve(places_.size());
  for (const auto& [name, place] : places_) names.push_back(name);
  return names;
}

void CheckpointWeights::check_unchanged() const {
  for (const Safetensors& file : files_) file.map().check_unchanged();
}

bool CheckpointWeights::stands(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

void CheckpointWeights::open_shards(const std::filesystem::path& path) {
  const nlohmann::json json = read_json(path);
  const Fields index(json, shown(path));
  const auto* weight_map = index.find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object() || weight_map->empty()) {
    index.absent("weight_map", "must map tensor names to file names");
  }
  std::map<std::string, std::vector<std::string>> tensors_of;
  for (const auto& [name, file] : weight_map->items()) {
    if (!file.is_string()) index.wrong(printable(name), file, "must be a file name");
    tensors_of[file.get<std::string>()].push_back(name);
  }
  for (const auto& [name, tensors] : tensors_of) {
    open_shard(shown(path), name, tensors.size());
  }
  check_index(index, tensors_of);
}

void CheckpointWeights::open_shard(const std::string& index, const std::string& name,
                                   std::size_t tensors) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!plain) fail(Fault::input, index + ": " + printable(name) + ": path escapes model folder");
  const auto path = folder_ / name;
  if (!stands(path)) {
    fail(Fault::input, index + ": shard " + printable(name) + " missing, named by index for " +
                           std::to_string(tensors) + " tensors");
  }
  RegularFile file(path);
  if (!is_inside(file)) {
    fail(Fault::input,
         index + ": " + printable(name) + ": path escapes model folder, it is a link");
  }
  files_.emplace_back(std::move(file));
}

bool CheckpointWeights::is_inside(const RegularFile& file) const {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path real =
      fs::read_symlink("/proc/self/fd/" + std::to_string(file.descriptor()), error);
  if (error) return !fs::is_symlink(file.path());
  const fs::path home = fs::canonical(folder_, error);
  if (real.parent_path() == home) return true;
  const fs::path snapshots = home.parent_path();
  return snapshots.filename() == "snapshots" &&
         real.parent_path() == snapshots.parent_path() / "blobs";
}

void CheckpointWeights::check_index(
    const Fields& index, const std::map<std::string, std::vector<std::string>>& tensors_of) const {
  std::size_t bytes = 0;
  for (const Safetensors& file : files_) {
    const std::string shard = file.path().filename().native();
    const auto& listed = tensors_of.at(shard);
    for (const std::string& name : listed) {
      if (file.entry(name) != nullptr) continue;
      std::string found = "no shard holds it";
      for (const Safetensors& other : files_) {
        if (other.entry(name) != nullptr) found = "it is in " + shown(other.path().filename());
      }
      fail(Fault::input,
           index.where() + ": " + printable(name) + " listed in shard " + shard + ", " + found);
    }
    for (const TensorEntry& entry : file.entries()) {
      bytes += entry.bytes();
      // Sorted, because the JSON object that it came from is.
      if (!std::binary_search(listed.begin(), listed.end(), entry.name)) {
        fail(Fault::input, shown(file.path()) + ": holds " + printable(entry.name) +
                               ", which the index does not list there");
      }
    }
  }
  const auto* metadata = index.find("metadata");
  if (metadata == nullptr) return;
  const Fields totals(*metadata, index.where() + ": metadata");
  if (!totals.has("total_size")) return;
  const double total = totals.number("total_size", {0, 9e18});  // some writers store a float
  if (total != static_cast<double>(bytes)) {
    totals.wrong("total_size", *totals.find("total_size"),
                 "the shards hold " + std::to_string(bytes) + " bytes of tensors");
  }
}

void CheckpointWeights::enlist(const Safetensors& file) {
  for (const TensorEntry& entry : file.entries()) {
    const auto [place, added] =
        places_.try_emplace(canonical_name(entry.name), Place{&file, &entry});
    if (!added) {
      fail(Fault::input, shown(file.path()) + ": " + printable(entry.name) +
                             " stands twice, also as " + printable(place->second.entry->name));
    }
  }
}

void CheckpointWeights::refuse_empty_folder() const {
  const std::string none =
      shown(folder_) + ": no model.safetensors and no model.safetensors.index.json";
  for (const auto* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (stands(folder_ / pickle)) {
      fail(Fault::input, none + ", only " + pickle +
                             ": this is a PyTorch pickle; expected safetensors (convert with "
                             "Python's save_pretrained(folder, safe_serialization=True))");
    }
  }
  fail(Fault::input, none);
}

}  // namespace stamp::checkpoint
