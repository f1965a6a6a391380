// SPDX-License-Identifier: Apache-2.0
// Writing safetensors files: whole or not at all, straight from the caller's memory.
// Laid out as the reference's `serialize`: widest elements first, then by name, header padded to 8.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/checkpoint/safetensors_header.hpp>
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

[[nodiscard]] inline NamedTensor named(std::string name, std::vector<Index> shape,
                                       std::span<const float> values) {
  return {std::move(name), ElementType::float32, std::move(shape), std::as_bytes(values)};
}
[[nodiscard]] inline NamedTensor named(std::string name, std::vector<Index> shape,
                                       std::span<const std::int64_t> values) {
  return {std::move(name), ElementType::int64, std::move(shape), std::as_bytes(values)};
}

/// Throws Error{usage} for a name given twice, a name that is not UTF-8, or a shape that does not
/// fit its bytes; Error{resource} when the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path,
                              std::span<const NamedTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const Index wide = bytes_of(a->type), other = bytes_of(b->type);
    return wide != other ? wide > other : a->name < b->name;
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t end = 0;
  for (const NamedTensor* tensor : order) {
    const std::string label = shown(path) + ": " + printable(tensor->name);
    Index bytes = bytes_of(tensor->type);
    for (const Index extent : tensor->shape) bytes = checked_multiply(bytes, extent, label);
    if (static_cast<std::size_t>(bytes) != tensor->bytes.size()) {
      fail(Fault::usage, label + ": shape " + to_string(tensor->shape) + " needs " +
                             std::to_string(bytes) + " bytes, given " +
                             std::to_string(tensor->bytes.size()));
    }
    if (first_invalid_utf8(tensor->name)) fail(Fault::usage, label + ": name is not UTF-8");
    if (header.contains(tensor->name)) fail(Fault::usage, label + ": given twice");
    const std::size_t begin = end;
    end += tensor->bytes.size();
    header[tensor->name] = {
        {"dtype", name_of(tensor->type)}, {"shape", tensor->shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > SafetensorsLimits{}.header_bytes) {
    fail(Fault::usage, shown(path) + ": header of " + std::to_string(text.size()) + " bytes");
  }
  std::array<std::byte, 8> length{};
  for (std::size_t byte = 0; byte < 8; ++byte) {
    length[byte] = static_cast<std::byte>(text.size() >> (8 * byte) & 0xFF);
  }
  AtomicFile file(path, 8 + text.size() + end);
  file.write(length);
  file.write(text);
  for (const NamedTensor* tensor : order) file.write(tensor->bytes);
  file.commit();
}

}  // namespace stamp::checkpoint
