// SPDX-License-Identifier: Apache-2.0
// A file of tensors, safetensors or PyTorch's: told apart by its first bytes, never by its name.
// Loaders that take this one take either.
#pragma once

#include <filesystem>
#include <stamp/checkpoint/pth.hpp>
#include <stamp/checkpoint/safetensors.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stamp::checkpoint {

enum class TensorFormat { safetensors, pth_zip, pth_legacy };

[[nodiscard]] constexpr std::string_view name_of(TensorFormat format) {
  switch (format) {
    case TensorFormat::safetensors:
      return "safetensors";
    case TensorFormat::pth_zip:
      return "PyTorch (ZIP)";
    case TensorFormat::pth_legacy:
      return "PyTorch (legacy)";
  }
  return "?";
}

/// What the first bytes say; `safetensors`, whose reader names what it finds, where they say
/// nothing. A ZIP or pickle signature may also be the length of a JSON header, which then follows.
[[nodiscard]] constexpr TensorFormat format_of(std::string_view front) {
  const bool json = front.size() > 8 && std::string_view("{ \t\r\n").find(front[8]) != front.npos;
  if (json) return TensorFormat::safetensors;
  if (front.starts_with("PK\x03\x04")) return TensorFormat::pth_zip;
  const bool pickle = front.size() > 1 && front[0] == '\x80' && front[1] >= 2 && front[1] <= 5;
  return pickle ? TensorFormat::pth_legacy : TensorFormat::safetensors;
}

/// Owns the file; the tensors that it hands out live as long as it does. Safe to read from several
/// threads. Nothing of the file is executed, whatever it is.
class TensorFile {
 public:
  /// Throws Error{input} "FILE: what is wrong" as Safetensors and Pth do.
  explicit TensorFile(const std::filesystem::path& path) : TensorFile(RegularFile(path)) {}
  explicit TensorFile(RegularFile file)
      : format_(format_of(file.read_front(9))), file_(open(std::move(file), format_)) {}

  [[nodiscard]] TensorFormat format() const { return format_; }
  [[nodiscard]] const std::filesystem::path& path() const { return map().file().path(); }
  [[nodiscard]] const MemoryMap& map() const;
  [[nodiscard]] std::span<const TensorEntry> entries() const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// What a safetensors file says about itself; a `.pth` says nothing.
  [[nodiscard]] std::map<std::string, std::string> metadata() const;
  /// Keys of a `.pth` that are no tensors, or stand beside the state dict.
  [[nodiscard]] std::vector<std::string> others() const;

  [[nodiscard]] const TensorEntry* entry(std::string_view name) const;
  /// The tensor of this very name. Throws Error{input} when its type is not one to compute from.
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const;
  /// `entry` must be one of `entries()`.
  [[nodiscard]] StoredTensor view(const TensorEntry& entry) const;
  /// Row-major, little-endian; `entry` must be one of `entries()`.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& entry) const;

 private:
  using Either = std::variant<Safetensors, Pth>;
  [[nodiscard]] static Either open(RegularFile file, TensorFormat format);

  TensorFormat format_;
  Either file_;
};

static_assert(WeightSource<TensorFile>);

}  // namespace stamp::checkpoint
