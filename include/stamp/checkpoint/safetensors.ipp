// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/safetensors.hpp>.
#pragma once

#include <stamp/checkpoint/safetensors.hpp>

namespace stamp::checkpoint {

Safetensors::Safetensors(RegularFile file)
    : map_(std::move(file)),
      header_(read_safetensors_header(map_.bytes(), shown(map_.file().path()))) {
  for (std::size_t at = 0; at < header_.tensors.size(); ++at) {
    places_.emplace(header_.tensors[at].name, at);
  }
}

const std::map<std::string, std::string>& Safetensors::metadata() const { return header_.metadata; }

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> names;
  for (const TensorEntry& entry : entries()) names.push_back(entry.name);
  return names;
}

const TensorEntry* Safetensors::entry(std::string_view name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : &header_.tensors[place->second];
}

std::optional<StoredTensor> Safetensors::find(std::string_view name) const {
  const TensorEntry* found = entry(name);
  if (found == nullptr) return std::nullopt;
  return view(*found);
}

StoredTensor Safetensors::view(const TensorEntry& entry) const {
  StoredTensor tensor = stored_tensor(entry, map_.bytes().data() + entry.begin, shown(path()));
  tensor.mapped = true;
  return tensor;
}

std::span<const std::byte> Safetensors::bytes(const TensorEntry& entry) const {
  return map_.bytes().subspan(entry.begin, entry.bytes());
}

}  // namespace stamp::checkpoint
