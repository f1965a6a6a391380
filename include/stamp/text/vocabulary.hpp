// SPDX-License-Identifier: Apache-2.0
// The entries of a tokenizer, both ways: spelling to id, id to bytes; and what a file may claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stamp/tensor/check.hpp>
#include <stamp/text/byte_level.hpp>
#include <stamp/text/utf8.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stamp::text {

/// Row of the embedding that a token has.
using TokenId = std::int32_t;

/// "\"<|seg|>\"", cut and escaped: how an entry of an untrusted file is shown in a message.
[[nodiscard]] inline std::string in_quotes(std::string_view entry) {
  constexpr std::size_t shown = 60;
  return "\"" + printable(entry, shown) + "\"";
}

/// Spellings with ids that are unique and below max_entries. Loaders add, everybody else reads.
class Vocabulary {
 public:
  static constexpr std::size_t max_entries = 500'000;
  static constexpr std::size_t max_entry_bytes = 1024;

  /// Adds `spelling` (valid UTF-8) as `id`; `where` starts the message. Throws Error{input} when
  /// either is taken, the spelling is empty or over max_entry_bytes, or the id out of range.
  void insert(std::string_view spelling, std::int64_t id, std::string_view where) {
    if (spelling.empty() || spelling.size() > max_entry_bytes) {
      refuse(where, spelling,
             "an entry of " + std::to_string(spelling.size()) + " bytes, expected 1 to " +
                 std::to_string(max_entry_bytes));
    }
    if (id < 0 || id >= static_cast<std::int64_t>(max_entries)) {
      refuse(where, spelling,
             "id " + std::to_string(id) + ", expected 0 to " + std::to_string(max_entries - 1));
    }
    const auto row = static_cast<std::size_t>(id);
    if (row >= bytes_.size()) bytes_.resize(row + 1);
    if (!bytes_[row].empty()) {
      refuse(where, spelling,
             "id " + std::to_string(id) + ", which " + in_quotes(bytes_[row]) + " has already");
    }
    if (!ids_.try_emplace(std::string(spelling), static_cast<TokenId>(id)).second) {
      refuse(where, spelling, "a second id " + std::to_string(id) + ", expected one");
    }
    bytes_[row] = bytes_of_spelling(spelling);
  }

  void reserve(std::size_t entries) {
    ids_.reserve(entries);
    bytes_.reserve(entries);
  }

  [[nodiscard]] std::optional<TokenId> find(std::string_view spelling) const {
    const auto entry = ids_.find(spelling);
    return entry == ids_.end() ? std::nullopt : std::optional(entry->second);
  }

  /// What `id` stands for; empty for an id that is not in the vocabulary.
  [[nodiscard]] std::string_view bytes(TokenId id) const {
    const bool known = id >= 0 && static_cast<std::size_t>(id) < bytes_.size();
    return known ? std::string_view(bytes_[static_cast<std::size_t>(id)]) : std::string_view();
  }

  /// Entries, and one more than the largest id; equal after require_dense.
  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  [[nodiscard]] std::size_t rows() const { return bytes_.size(); }

  /// Throws Error{input} naming the first id below the largest that no entry has.
  void require_dense(std::string_view where) const {
    for (std::size_t id = 0; id < bytes_.size(); ++id) {
      if (!bytes_[id].empty()) continue;
      fail(Fault::input, std::string(where) + ": no entry has id " + std::to_string(id) +
                             ": expected every id from 0 to " + std::to_string(rows() - 1));
    }
  }

 private:
  [[noreturn]] static void refuse(std::string_view where, std::string_view spelling,
                                  const std::string& found) {
    fail(Fault::input, std::string(where) + ": " + in_quotes(spelling) + " has " + found);
  }

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, TokenId, Hash, std::equal_to<>> ids_;
  std::vector<std::string> bytes_;  ///< by id
};

}  // namespace stamp::text
