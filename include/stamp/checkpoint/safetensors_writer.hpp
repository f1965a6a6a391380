// SPDX-License-Identifier: Apache-2.0
// Writing safetensors files: whole or not at all, straight from the caller's memory.
// Laid out as the reference's `serialize`: widest elements first, then by name, header padded to 8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// A tensor to be written; `bytes` is row-major, little-endian, and only referred to.
struct NamedTensor {
  std::string name;
  ElementType type = ElementType::float32;
  std::vector<Index> shape;
  std::span<const std::byte> bytes;
};

[[nodiscard]] NamedTensor named(std::string name, std::vector<Index> shape,
                                std::span<const float> values);
[[nodiscard]] NamedTensor named(std::string name, std::vector<Index> shape,
                                std::span<const std::int64_t> values);

/// A tensor of any type of the format, as another file stores it.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::vector<Index> shape;
  std::span<const std::byte> bytes;
};

/// Hears how many of all bytes of the tensors are written. What it throws ends the writing, and
/// leaves the file that was there before.
using OnWritten = std::function<void(std::size_t done, std::size_t total)>;

/// Throws Error{usage} for a name that is given twice, reserved or not UTF-8, for a type that the
/// format does not have, and for a shape that does not fit its bytes; Error{resource} when the file
/// cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const RawTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       const OnWritten& on_written = {});
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace stamp::checkpoint
