// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/sam_weights.hpp>.
#pragma once

#include <stamp/checkpoint/sam_weights.hpp>

namespace stamp::checkpoint {

std::filesystem::path sam_file(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  const fs::path inside = path / "model.safetensors";
  if (fs::exists(inside, ignored)) return inside;
  std::string other = "no such file";
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const fs::path kind = entry.path().extension();
    if (kind == ".pth" || kind == ".safetensors") other = shown(entry.path()) + ", name that one";
  }
  fail(Fault::input, shown(path) +
                         ": is a folder: expected a SAM checkpoint, or a folder that holds "
                         "model.safetensors, found " +
                         other);
}

SamWeights::SamWeights(TensorFile file) : file_(std::move(file)) {
  const auto naming = sam_naming(file_.names());
  if (!naming) return;
  for (const TensorEntry& entry : file_.entries()) {
    for (std::string& name : translated_sam_names(entry.name, *naming, SamNaming::official)) {
      places_.emplace(std::move(name), &entry);  // the first of a matrix that is held twice
    }
  }
}

const TensorEntry* SamWeights::entry(std::string_view official) const {
  const auto place = places_.find(official);
  return place == places_.end() ? nullptr : place->second;
}

std::optional<StoredTensor> SamWeights::find(std::string_view official) const {
  const TensorEntry* found = entry(official);
  if (found == nullptr) return std::nullopt;
  return file_.view(*found);
}

}  // namespace stamp::checkpoint
