// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/tensor_file.hpp>.
#pragma once

#include <stamp/checkpoint/tensor_file.hpp>

namespace stamp::checkpoint {

const MemoryMap& TensorFile::map() const {
  return std::visit([](const auto& file) -> const MemoryMap& { return file.map(); }, file_);
}

std::span<const TensorEntry> TensorFile::entries() const {
  return std::visit([](const auto& file) { return file.entries(); }, file_);
}

std::vector<std::string> TensorFile::names() const {
  return std::visit([](const auto& file) { return file.names(); }, file_);
}

std::map<std::string, std::string> TensorFile::metadata() const {
  const auto* file = std::get_if<Safetensors>(&file_);
  return file == nullptr ? std::map<std::string, std::string>() : file->metadata();
}

std::vector<std::string> TensorFile::others() const {
  const auto* file = std::get_if<Pth>(&file_);
  return file == nullptr ? std::vector<std::string>() : file->others();
}

const TensorEntry* TensorFile::entry(std::string_view name) const {
  return std::visit([&](const auto& file) { return file.entry(name); }, file_);
}

std::optional<StoredTensor> TensorFile::find(std::string_view name) const {
  return std::visit([&](const auto& file) { return file.find(name); }, file_);
}

StoredTensor TensorFile::view(const TensorEntry& entry) const {
  return std::visit([&](const auto& file) { return file.view(entry); }, file_);
}

std::span<const std::byte> TensorFile::bytes(const TensorEntry& entry) const {
  return std::visit([&](const auto& file) { return file.bytes(entry); }, file_);
}

TensorFile::Either TensorFile::open(RegularFile file, TensorFormat format) {
  if (format == TensorFormat::safetensors) {
    return Either(std::in_place_type<Safetensors>, std::move(file));
  }
  return Either(std::in_place_type<Pth>, std::move(file));
}

}  // namespace stamp::checkpoint
