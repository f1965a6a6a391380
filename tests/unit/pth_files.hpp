// SPDX-License-Identifier: Apache-2.0
// PyTorch files made by hand, right or wrong in one place: the pickle's opcodes and the ZIP around
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace files {

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int byte = 0; byte < bytes; ++byte) text += static_cast<char>(value >> (8 * byte) & 0xFF);
  return text;
}

/// A member of a ZIP file, and what its headers tell in place of the truth.
struct ZipPart {
  std::string name;
  std::string data{};
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::string local_extra{};
  std::optional<std::string> local_name{};
  std::optional<std::uint32_t> local_bytes{};
  std::optional<std::uint64_t> stored{};
  std::optional<std::uint64_t> original{};
  std::optional<std::uint64_t> header{};
  bool zip64 = false;  ///< sizes and place stand in the ZIP64 field
};

/// What the records at the end tell in place of the truth.
struct ZipEnd {
  bool zip64 = false;
  std::optional<std::uint64_t> members{};
  std::optional<std::uint64_t> bytes{};
  std::optional<std::uint64_t> begin{};
  std::optional<std::uint16_t> small_members{};  ///< of the first record only
  std::uint16_t disk = 0;
  std::string comment{};
};

inline std::string zip(const std::vector<ZipPart>& parts, const ZipEnd& end = {}) {
  std::string bytes;
  std::string directory;
  for (const ZipPart& part : parts) {
    const std::uint64_t begin = part.header.value_or(bytes.size());
    const std::string local = part.local_name.value_or(part.name);
    const auto size = static_cast<std::uint32_t>(part.data.size());
    bytes += "PK\x03\x04" + little(20, 2) + little(part.flags, 2) + little(part.method, 2) +
             little(0, 8) + little(part.local_bytes.value_or(size), 4) + little(size, 4) +
             little(local.size(), 2) + little(part.local_extra.size(), 2) + local +
             part.local_extra + part.data;
    const std::uint64_t stored = part.stored.value_or(size);
    const std::uint64_t original = part.original.value_or(part.stored.value_or(size));
    const std::string extra = part.zip64 ? little(1, 2) + little(24, 2) + little(original, 8) +
                                               little(stored, 8) + little(begin, 8)
                                         : "";
    const auto small = [&](std::uint64_t value) {
      return little(part.zip64 ? 0xFFFFFFFF : value, 4);
    };
    directory += "PK\x01\x02" + little(20, 2) + little(20, 2) + little(part.flags, 2) +
                 little(part.method, 2) + little(0, 8) + small(stored) + small(original) +
                 little(part.name.size(), 2) + little(extra.size(), 2) + little(0, 8) +
                 little(0, 2) + small(begin) + part.name + extra;
  }
  const std::uint64_t begin = end.begin.value_or(bytes.size());
  const std::uint64_t size = end.bytes.value_or(directory.size());
  const std::uint64_t members = end.members.value_or(parts.size());
  bytes += directory;
  if (end.zip64) {
    const std::size_t record = bytes.size();
    bytes += "PK\x06\x06" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
             little(members, 8) + little(members, 8) + little(size, 8) + little(begin, 8);
    bytes += "PK\x06\x07" + little(0, 4) + little(record, 8) + little(1, 4);
  }
  const auto small = end.small_members.value_or(end.zip64 ? 0xFFFF : members);
  return bytes + "PK\x05\x06" + little(end.disk, 2) + little(end.disk, 2) + little(small, 2) +
         little(small, 2) + little(end.zip64 ? 0xFFFFFFFF : size, 4) +
         little(end.zip64 ? 0xFFFFFFFF : begin, 4) + little(end.comment.size(), 2) + end.comment;
}

namespace pickle {

inline const std::string none = "N";
inline const std::string ordered_dict = "ccollections\nOrderedDict\n)R";

inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string integer(std::int64_t value) {
  return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string tuple(const std::vector<std::int64_t>& values) {
  std::string opcodes = "(";
  for (const std::int64_t value : values) opcodes += integer(value);
  return opcodes + "t";
}
inline std::string storage(const std::string& key, std::int64_t elements,
                           const std::string& kind = "FloatStorage") {
  return "(" + text("storage") + "ctorch\n" + kind + "\n" + text(key) + text("cpu") +
         integer(elements) + "tQ";
}
/// What torch.save writes for a tensor that looks into `storage`.
inline std::string tensor(const std::string& storage, std::int64_t offset,
                          const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) + tuple(shape) +
         tuple(strides) + "\x89" + ordered_dict + "tR";
}
/// A whole pickle of a dictionary; `items` are keys and values.
inline std::string dictionary(const std::string& items) { return "\x80\x02}(" + items + "u."; }

}  // namespace pickle

/// A `.pth` with this pickle; `storages` are keys and bytes, `more` further members.
inline std::string pth(const std::string& data_pkl,
                       const std::vector<std::pair<std::string, std::string>>& storages = {},
                       const std::vector<ZipPart>& more = {}) {
  std::vector<ZipPart> parts{{.name = "top/data.pkl", .data = data_pkl}};
  for (const auto& [key, bytes] : storages) {
    parts.push_back({.name = "top/data/" + key, .data = bytes});
  }
  parts.insert(parts.end(), more.begin(), more.end());
  return zip(parts);
}

/// A `.pth` of float32 zeros with these names and shapes, one storage a tensor.
inline std::string pth_of(
    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
  std::string items;
  std::vector<std::pair<std::string, std::string>> storages;
  for (const auto& [name, shape] : tensors) {
    std::int64_t elements = 1;
    std::vector<std::int64_t> strides(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      strides[axis] = elements;
      elements *= shape[axis];
    }
    const std::string key = std::to_string(storages.size());
    storages.emplace_back(key, std::string(4 * static_cast<std::size_t>(elements), '\0'));
    items += pickle::text(name) + pickle::tensor(pickle::storage(key, elements), 0, shape, strides);
  }
  return pth(pickle::dictionary(items), storages);
}

}  // namespace files
