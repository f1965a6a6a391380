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
#include <vector>

namespace stamp::text {

/// Row of the embedding that a token has.
using TokenId = std::int32_t;

/// "\"<|seg|>\"", cut and escaped: how an entry of an untrusted file is shown in a message.
[[nodiscard]] std::string in_quotes(std::string_view entry);

/// Spellings with ids that are unique and below max_entries. Loaders add, everybody else reads.
class Vocabulary {
 public:
  static constexpr std::size_t max_entries = 500'000;
  static constexpr std::size_t max_entry_bytes = 1024;

  /// Adds `spelling` (valid UTF-8) as `id`; `where` starts the message. Throws Error{input} when
  /// either is taken, the spelling is empty or over max_entry_bytes, or the id out of range.
  void insert(std::string_view spelling, std::int64_t id, std::string_view where);

  void reserve(std::size_t entries);

  [[nodiscard]] std::optional<TokenId> find(std::string_view spelling) const;

  /// What `id` stands for; empty for an id that is not in the vocabulary.
  [[nodiscard]] std::string_view bytes(TokenId id) const;

  /// Entries, and one more than the largest id; equal after require_dense.
  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  [[nodiscard]] std::size_t rows() const { return bytes_.size(); }

  /// Throws Error{input} naming the first id below the largest that no entry has.
  void require_dense(std::string_view where) const;

 private:
  [[noreturn]] static void refuse(std::string_view where, std::string_view spelling,
                                  const std::string& found);

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
