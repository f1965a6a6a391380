// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/safetensors_writer.hpp>.
#pragma once

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/checkpoint/safetensors_header.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <string_view>
#include <unordered_set>

namespace stamp::checkpoint {

NamedTensor named(std::string name, std::vector<Index> shape, std::span<const float> values) {
  return {std::move(name), ElementType::float32, std::move(shape), std::as_bytes(values)};
}

NamedTensor named(std::string name, std::vector<Index> shape,
                  std::span<const std::int64_t> values) {
  return {std::move(name), ElementType::int64, std::move(shape), std::as_bytes(values)};
}

void write_safetensors(const std::filesystem::path& path, std::span<const RawTensor> tensors,
                       const std::map<std::string, std::string>& metadata,
                       const OnWritten& on_written) {
  std::vector<const RawTensor*> order;
  for (const RawTensor& tensor : tensors) order.push_back(&tensor);
  const auto width = [](const RawTensor& tensor) { return bits_of(tensor.dtype).value_or(0) / 8; };
  std::sort(order.begin(), order.end(), [&](const RawTensor* a, const RawTensor* b) {
    const int wide = width(*a), other = width(*b);
    return wide != other ? wide > other : a->name < b->name;
  });

  // Put together by hand: in an ordered JSON object every insertion looks at all keys before it.
  std::string text;
  if (!metadata.empty()) text = ",\"__metadata__\":" + nlohmann::json(metadata).dump();
  std::unordered_set<std::string_view> names;
  std::size_t end = 0;
  for (const RawTensor* tensor : order) {
    const std::string label = shown(path) + ": " + printable(tensor->name);
    if (width(*tensor) == 0) fail(Fault::usage, label + ": dtype " + tensor->dtype + " unknown");
    Index bytes = width(*tensor);
    for (const Index extent : tensor->shape) bytes = checked_multiply(bytes, extent, label);
    if (static_cast<std::size_t>(bytes) != tensor->bytes.size()) {
      fail(Fault::usage, label + ": shape " + to_string(tensor->shape) + " needs " +
                             std::to_string(bytes) + " bytes, given " +
                             std::to_string(tensor->bytes.size()));
    }
    if (tensor->name == "__metadata__") fail(Fault::usage, label + ": name is reserved");
    if (first_invalid_utf8(tensor->name)) fail(Fault::usage, label + ": name is not UTF-8");
    if (!names.insert(tensor->name).second) fail(Fault::usage, label + ": given twice");
    const std::size_t begin = end;
    end += tensor->bytes.size();
    const nlohmann::ordered_json entry{
        {"dtype", tensor->dtype}, {"shape", tensor->shape}, {"data_offsets", {begin, end}}};
    text += "," + nlohmann::json(tensor->name).dump() + ":" + entry.dump();
  }
  text = "{" + (text.empty() ? text : text.substr(1)) + "}";
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
  std::size_t written = 0;
  for (const RawTensor* tensor : order) {
    file.write(tensor->bytes);
    written += tensor->bytes.size();
    if (on_written) on_written(written, end);
  }
  file.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<RawTensor> raw;
  for (const NamedTensor& tensor : tensors) {
    raw.push_back({tensor.name, std::string(name_of(tensor.type)), tensor.shape, tensor.bytes});
  }
  write_safetensors(path, std::span<const RawTensor>(raw), metadata);
}

}  // namespace stamp::checkpoint
