// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pth.hpp>.
#pragma once

#include <stamp/checkpoint/pth.hpp>

namespace stamp::checkpoint {

Pth::Pth(RegularFile file) : map_(std::move(file)) {
  const std::string where = shown(map_.file().path());
  const bool zip = bytes_begin_with("PK\x03\x04");
  const PthContent content =
      zip ? read_zip_pth(map_.bytes(), where) : read_legacy_pth(map_.bytes(), where);
  StateDict found = read_state_dict(content, where);
  others_ = std::move(found.others);
  place(found.tensors, where);
}

std::vector<std::string> Pth::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const TensorEntry& entry : entries_) names.push_back(entry.name);
  return names;
}

const TensorEntry* Pth::entry(std::string_view name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : &entries_[place->second];
}

std::optional<StoredTensor> Pth::find(std::string_view name) const {
  const TensorEntry* found = entry(name);
  if (found == nullptr) return std::nullopt;
  return view(*found);
}

StoredTensor Pth::view(const TensorEntry& entry) const {
  return stored_tensor(entry, bytes(entry).data(), shown(path()));
}

std::span<const std::byte> Pth::bytes(const TensorEntry& entry) const {
  return bytes_[static_cast<std::size_t>(&entry - entries_.data())];
}

bool Pth::bytes_begin_with(std::string_view magic) const {
  const auto bytes = map_.bytes();
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
      .starts_with(magic);
}

void Pth::place(std::vector<StridedTensor>& tensors, const std::string& where) {
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

}  // namespace stamp::checkpoint
