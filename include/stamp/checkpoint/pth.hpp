// SPDX-License-Identifier: Apache-2.0
// One PyTorch checkpoint (`.pth`, `.pt`, `pytorch_model.bin`), opened by memory map. Tensors are
// views into it; only those whose elements do not lie in a row are copied. Nothing is executed.
#pragma once

#include <filesystem>
#include <optional>
#include <stamp/checkpoint/memory_map.hpp>
#include <stamp/checkpoint/pth_legacy.hpp>
#include <stamp/checkpoint/pth_tensors.hpp>
#include <stamp/checkpoint/row_major_copy.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stamp::checkpoint {

/// Owns the map and the copies; the tensors that it hands out live as long as it does. Safe to read
/// from several threads.
class Pth {
 public:
  /// Bytes that copies may take, as multiple of the file's: strides of zero repeat elements.
  static constexpr std::size_t most_copied = 4;

  /// Throws Error{input} "FILE: what is wrong": docs/bad-input.md, rows 66 to 72.
  explicit Pth(RegularFile file);
  explicit Pth(const std::filesystem::path& path) : Pth(RegularFile(path)) {}

  [[nodiscard]] const std::filesystem::path& path() const { return map_.file().path(); }
  [[nodiscard]] const MemoryMap& map() const { return map_; }
  /// Every tensor in the order of the dictionary, of whatever type.
  [[nodiscard]] std::span<const TensorEntry> entries() const { return entries_; }
  /// Keys of the state dict that are no tensors, and all keys beside it.
  [[nodiscard]] const std::vector<std::string>& others() const { return others_; }
  [[nodiscard]] std::vector<std::string> names() const;

  [[nodiscard]] const TensorEntry* entry(std::string_view name) const;
  /// The tensor of this very name. Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const;
  /// `entry` must be one of `entries()`.
  [[nodiscard]] StoredTensor view(const TensorEntry& entry) const;
  /// Row-major, little-endian; `entry` must be one of `entries()`.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& entry) const;

 private:
  [[nodiscard]] bool bytes_begin_with(std::string_view magic) const;

  void place(std::vector<StridedTensor>& tensors, const std::string& where);

  MemoryMap map_;
  std::vector<TensorEntry> entries_;
  std::vector<std::span<const std::byte>> bytes_;  ///< of each entry, in the map or in copies_
  std::vector<std::vector<std::byte>> copies_;     ///< moving one keeps its bytes where they are
  std::vector<std::string> others_;
  std::unordered_map<std::string_view, std::size_t> places_;  ///< names live in entries_
};

static_assert(WeightSource<Pth>);

}  // namespace stamp::checkpoint
