// SPDX-License-Identifier: Apache-2.0
// One PyTorch checkpoint (`.pth`, `.pt`, `pytorch_model.bin`), opened by memory map. Tensors are
// views into it; only those whose elements do not lie in a row are copied. Nothing is executed.
#pragma once

#include <filesystem>
#include <map>
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
  explicit Pth(RegularFile file) : map_(std::move(file)) {
    const std::string where = shown(map_.file().path());
    const bool zip = bytes_begin_with("PK\x03\x04");
    const PthContent content =
        zip ? read_zip_pth(map_.bytes(), where) : read_legacy_pth(map_.bytes(), where);
    StateDict found = read_state_dict(content, where);
    others_ = std::move(found.others);
    place(found.tensors, where);
  }
  explicit Pth(const std::filesystem::path& path) : Pth(RegularFile(path)) {}

  [[nodiscard]] const std::filesystem::path& path() const { return map_.file().path(); }
  [[nodiscard]] const MemoryMap& map() const { return map_; }
  /// Every tensor in the order of the dictionary, of whatever type.
  [[nodiscard]] std::span<const TensorEntry> entries() const { return entries_; }
  /// Keys of the state dict that are no tensors, and all keys beside it.
  [[nodiscard]] const std::vector<std::string>& others() const { return others_; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    names.reserve(entries_.size());
    for (const TensorEntry& entry : entries_) names.push_back(entry.name);
    return names;
  }

  [[nodiscard]] const TensorEntry* entry(std::string_view name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? nullptr : &entries_[place->second];
  }
  /// The tensor of this very name. Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const TensorEntry* found = entry(name);
    if (found == nullptr) return std::nullopt;
    return view(*found);
  }
  /// `entry` must be one of `entries()`.
  [[nodiscard]] StoredTensor view(const TensorEntry& entry) const {
    return stored_tensor(entry, bytes(entry).data(), shown(path()));
  }
  /// Row-major, little-endian; `entry` must be one of `entries()`.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& entry) const {
    return bytes_[static_cast<std::size_t>(&entry - entries_.data())];
  }

 private:
  [[nodiscard]] bool bytes_begin_with(std::string_view magic) const {
    const auto bytes = map_.bytes();
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
        .starts_with(magic);
  }

  void place(std::vector<StridedTensor>& tensors, const std::string& where) {
    std::size_t copied = 0;
    for (StridedTensor& tensor : tensors) {
      const std::size_t size = tensor.entry.bytes();
      if (tensor.row_major) {
        bytes_.push_back(size == 0 ? std::span<const std::byte>()
                                   : map_.bytes().subspan(tensor.entry.begin, size));
      } else {
        const std::size_t most = most_copied * map_.bytes().size();
        if (size > most - copied) {
          fail(Fault::input, where + ": " + printable(tensor.entry.name) + ": shape " +
                                 to_string(tensor.entry.shape) + " with strides " +
                                 to_string(tensor.strides) + " needs a copy of " +
                                 std::to_string(size) + " bytes, all copies at most " +
                                 std::to_string(most) + ", four times the file");
        }
        copied += size;
        bytes_.emplace_back(copies_.emplace_back(row_major_copy(map_.bytes(), tensor)));
      }
      entries_.push_back(std::move(tensor.entry));
    }
    for (std::size_t at = 0; at < entries_.size(); ++at) places_.emplace(entries_[at].name, at);
  }

  MemoryMap map_;
  std::vector<TensorEntry> entries_;
  std::vector<std::span<const std::byte>> bytes_;  ///< of each entry, in the map or in copies_
  std::vector<std::vector<std::byte>> copies_;     ///< moving one keeps its bytes where they are
  std::vector<std::string> others_;
  std::unordered_map<std::string_view, std::size_t> places_;  ///< names live in entries_
};

static_assert(WeightSource<Pth>);

}  // namespace stamp::checkpoint
