// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/vocabulary.hpp>.
#pragma once

#include <stamp/text/vocabulary.hpp>

namespace stamp::text {

std::string in_quotes(std::string_view entry) {
  constexpr std::size_t shown = 60;
  return "\"" + printable(entry, shown) + "\"";
}

void Vocabulary::insert(std::string_view spelling, std::int64_t id, std::string_view where) {
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

void Vocabulary::reserve(std::size_t entries) {
  ids_.reserve(entries);
  bytes_.reserve(entries);
}

std::optional<TokenId> Vocabulary::find(std::string_view spelling) const {
  const auto entry = ids_.find(spelling);
  return entry == ids_.end() ? std::nullopt : std::optional(entry->second);
}

std::string_view Vocabulary::bytes(TokenId id) const {
  const bool known = id >= 0 && static_cast<std::size_t>(id) < bytes_.size();
  return known ? std::string_view(bytes_[static_cast<std::size_t>(id)]) : std::string_view();
}

void Vocabulary::require_dense(std::string_view where) const {
  for (std::size_t id = 0; id < bytes_.size(); ++id) {
    if (!bytes_[id].empty()) continue;
    fail(Fault::input, std::string(where) + ": no entry has id " + std::to_string(id) +
                           ": expected every id from 0 to " + std::to_string(rows() - 1));
  }
}

void Vocabulary::refuse(std::string_view where, std::string_view spelling,
                        const std::string& found) {
  fail(Fault::input, std::string(where) + ": " + in_quotes(spelling) + " has " + found);
}

}  // namespace stamp::text
