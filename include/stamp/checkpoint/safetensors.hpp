// SPDX-License-Identifier: Apache-2.0
// One safetensors file, opened by memory map: tensors are views into it, nothing is copied.
#pragma once

#include <filesystem>
#include <optional>
#include <stamp/checkpoint/memory_map.hpp>
#include <stamp/checkpoint/safetensors_header.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stamp::checkpoint {

/// Owns the map; the tensors that it hands out live as long as it does. Safe to read from several
/// threads.
class Safetensors {
 public:
  /// Throws Error{input} "FILE: what is wrong": docs/bad-input.md, rows 1 to 21.
  explicit Safetensors(RegularFile file)
      : map_(std::move(file)),
        header_(read_safetensors_header(map_.bytes(), shown(map_.file().path()))) {
    for (std::size_t at = 0; at < header_.tensors.size(); ++at) {
      places_.emplace(header_.tensors[at].name, at);
    }
  }
  explicit Safetensors(const std::filesystem::path& path) : Safetensors(RegularFile(path)) {}

  [[nodiscard]] const std::filesystem::path& path() const { return map_.file().path(); }
  [[nodiscard]] const MemoryMap& map() const { return map_; }
  /// Every tensor in the order of its bytes, of whatever type.
  [[nodiscard]] std::span<const TensorEntry> entries() const { return header_.tensors; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const {
    return header_.metadata;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const TensorEntry& entry : entries()) names.push_back(entry.name);
    return names;
  }

  [[nodiscard]] const TensorEntry* entry(std::string_view name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? nullptr : &header_.tensors[place->second];
  }
  /// The tensor of this very name. Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const TensorEntry* found = entry(name);
    if (found == nullptr) return std::nullopt;
    return view(*found);
  }

  /// `entry` must be one of `entries()`.
  [[nodiscard]] StoredTensor view(const TensorEntry& entry) const {
    StoredTensor tensor = stored_tensor(entry, map_.bytes().data() + entry.begin, shown(path()));
    tensor.mapped = true;
    return tensor;
  }
  /// Row-major, little-endian; `entry` must be one of `entries()`.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& entry) const {
    return map_.bytes().subspan(entry.begin, entry.bytes());
  }

 private:
  MemoryMap map_;
  SafetensorsHeader header_;
  std::unordered_map<std::string_view, std::size_t> places_;  ///< names live in header_
};

static_assert(WeightSource<Safetensors>);

}  // namespace stamp::checkpoint
