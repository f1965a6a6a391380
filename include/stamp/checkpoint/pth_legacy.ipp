// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pth_legacy.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/pth_legacy.hpp>
#include <unordered_set>

namespace stamp::checkpoint {

namespace detail {

class LegacyPth {
 public:
  LegacyPth(std::span<const std::byte> file, std::string where)
      : file_(file), where_(std::move(where)) {}

  [[nodiscard]] PthContent read() {
    // Two whole pickles: the number 0x1950a86a20f9469cfc6c, then the protocol 1001.
    expect(std::string_view("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15),
           "a pickle, but not PyTorch's: expected the magic number 0x1950a86a20f9469cfc6c");
    expect(std::string_view("\x80\x02M\xe9\x03.", 6), "expected the legacy protocol 1001");
    check_system(next());
    PthContent content;
    content.pickle = next();
    content.storages = read_storages(content.pickle, where_);
    place(next(), content.storages);
    return content;
  }

 private:
  void expect(std::string_view bytes, const std::string& otherwise) {
    const std::size_t position = position_;
    const auto found = file_.subspan(position, std::min(bytes.size(), file_.size() - position));
    const std::string_view text(reinterpret_cast<const char*>(found.data()), found.size());
    if (text != bytes) {
      stop(otherwise + " at byte " + std::to_string(position) +
           (bytes.starts_with(text) ? ", the file ends there; truncated download?" : ""));
    }
    position_ += bytes.size();
  }

  [[nodiscard]] Pickle next() {
    Pickle pickle = read_pickle(file_, position_, where_, pth_globals);
    position_ = pickle.end;
    return pickle;
  }

  void check_system(const Pickle& pickle) const {
    const PickleValue& system = pickle.at(pickle.root);
    if (system.kind != PickleKind::dictionary) {
      stop("expected a dictionary about the system that wrote it, found " +
           std::string(name_of(system.kind)));
    }
    for (std::size_t at = 0; at + 1 < system.items.size(); at += 2) {
      const PickleValue& value = pickle.at(system.items[at + 1]);
      if (pickle.at(system.items[at]).text == "little_endian" && value.integer != 1) {
        stop("little_endian is false, expected little byte order");
      }
    }
  }

  /// Storages follow in the order of `keys`, each after its number of elements.
  void place(const Pickle& keys, PthStorages& storages) {
    const PickleValue& list = keys.at(keys.root);
    if (list.kind != PickleKind::list) {
      stop("expected a list of storage keys, found " + std::string(name_of(list.kind)));
    }
    ByteCursor cursor(file_, where_, position_);
    std::unordered_set<std::string_view> placed;
    for (const PickleId id : list.items) {
      const std::string_view key = keys.at(id).text;
      const auto found = storages.find(key);
      if (found == storages.end()) {
        stop("storage " + printable(key) + " is listed, the pickle does not mention it");
      }
      if (!placed.insert(key).second) stop("storage " + printable(key) + " is listed twice");
      read_storage_bytes(cursor, key, found->second);
    }
    for (const auto& [key, storage] : storages) {
      if (!placed.contains(key))
        stop("storage " + printable(key) + " is mentioned, but not listed");
    }
    if (cursor.left() != 0) {
      stop("file has " + std::to_string(file_.size()) + " bytes, its storages end at " +
           std::to_string(cursor.position()) + "; trailing bytes");
    }
  }

  void read_storage_bytes(ByteCursor& cursor, std::string_view key, PthStorage& storage) const {
    const std::string label = "storage " + printable(key);
    const auto elements = cursor.number<std::uint64_t>(label);
    if (elements != static_cast<std::uint64_t>(storage.elements)) {
      stop(label + ": holds " + std::to_string(elements) + " elements, the pickle tells " +
           std::to_string(storage.elements));
    }
    const Index bytes = checked_multiply(storage.elements, storage.width(), where_ + ": " + label);
    storage.begin = cursor.position();
    cursor.skip(static_cast<std::size_t>(bytes), label);
  }

  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  std::span<const std::byte> file_;
  std::string where_;
  std::size_t position_ = 0;
};

}  // namespace detail

PthContent read_legacy_pth(std::span<const std::byte> file, std::string where) {
  return detail::LegacyPth(file, std::move(where)).read();
}

}  // namespace stamp::checkpoint
