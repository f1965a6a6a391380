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
  explicit Safetensors(RegularFile file);
  explicit Safetensors(const std::filesystem::path& path) : Safetensors(RegularFile(path)) {}

  [[nodiscard]] const std::filesystem::path& path() const { return map_.file().path(); }
  [[nodiscard]] const MemoryMap& map() const { return map_; }
  /// Every tensor in the order of its bytes, of whatever type.
  [[nodiscard]] std::span<const TensorEntry> entries() const { return header_.tensors; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  [[nodiscard]] std::vector<std::string> names() const;

  [[nodiscard]] const TensorEntry* entry(std::string_view name) const;
  /// The tensor of this very name. Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const;

  /// `entry` must be one of `entries()`.
  [[nodiscard]] StoredTensor view(const TensorEntry& entry) const;
  /// Row-major, little-endian; `entry` must be one of `entries()`.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& entry) const;

 private:
  MemoryMap map_;
  SafetensorsHeader header_;
  std::unordered_map<std::string_view, std::size_t> places_;  ///< names live in header_
};

static_assert(WeightSource<Safetensors>);

}  // namespace stamp::checkpoint
