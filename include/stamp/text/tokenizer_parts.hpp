// SPDX-License-Identifier: Apache-2.0
// The pieces of a tokenizer from untrusted JSON values: entries, merges and added tokens, each
// checked before it is believed. Shared by both file layouts; see tokenizer_file.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stamp/tensor/check.hpp>
#include <stamp/text/tokenizer.hpp>
#include <string>
#include <string_view>

namespace stamp::text::detail {

using Json = nlohmann::json;

[[noreturn]] inline void refuse(std::string_view where, const std::string& sentence) {
  fail(Fault::input, std::string(where) + ": " + sentence);
}

/// "a string", "an object": what a message says was found.
[[nodiscard]] inline std::string kind_of(const Json* value) {
  if (value == nullptr) return "nothing";
  const std::string name = value->type_name();
  if (name == "null") return "null";
  return (name == "object" || name == "array" ? "an " : "a ") + name;
}

/// Member `name` of an object; nullptr where it is absent.
[[nodiscard]] inline const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}
/// As above, with JSON's null as absent, too.
[[nodiscard]] inline const Json* present(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

[[nodiscard]] inline std::string string_of(const Json* value, const std::string& where) {
  if (value == nullptr || !value->is_string()) {
    refuse(where, "expected a string, found " + kind_of(value));
  }
  return value->get<std::string>();
}

/// An absent flag is false.
[[nodiscard]] inline bool flag_of(const Json& object, const char* name, const std::string& where) {
  const Json* value = present(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    refuse(where + ": " + name, "expected true or false, found " + kind_of(value));
  }
  return value->get<bool>();
}

/// An id as the file has it; its range is judged by Vocabulary.
[[nodiscard]] inline std::int64_t id_of(const Json* value, const std::string& where) {
  if (value == nullptr || !value->is_number_integer()) {
    refuse(where, "expected an id, found " + kind_of(value));
  }
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{most}) return most;
  return value->get<std::int64_t>();
}

/// The entries {"spelling": id, …}. Returns the bytes of the longest.
inline std::size_t add_entries(Vocabulary& vocabulary, const Json* entries,
                               const std::string& where) {
  if (entries == nullptr || !entries->is_object()) {
    refuse(where, "expected an object of entries and ids, found " + kind_of(entries));
  }
  if (entries->size() > Vocabulary::max_entries) {
    refuse(where, std::to_string(entries->size()) + " entries, expected at most " +
                      std::to_string(Vocabulary::max_entries));
  }
  std::size_t longest = 0;
  vocabulary.reserve(entries->size());
  for (const auto& [spelling, id] : entries->get_ref<const Json::object_t&>()) {
    if (!id.is_number_integer()) (void)id_of(&id, where + ": " + in_quotes(spelling));
    vocabulary.insert(spelling, id_of(&id, where), where);
    longest = std::max(longest, spelling.size());
  }
  return longest;
}

/// One merge; `where()` names the file and the merge or its line, and is called only to complain.
template <class Where>
void add_merge(TokenizerParts& parts, std::string_view left, std::string_view right,
               std::size_t longest_entry, Where where) {
  std::string joined;
  joined.reserve(left.size() + right.size());
  joined.append(left).append(right);
  if (joined.size() > longest_entry) {
    refuse(where(), in_quotes(joined) + " has " + std::to_string(joined.size()) +
                        " bytes: expected no more than the longest entry, " +
                        std::to_string(longest_entry));
  }
  const auto id_or_refuse = [&](std::string_view spelling) {
    const auto id = parts.vocabulary.find(spelling);
    if (!id) {
      refuse(where(), in_quotes(left) + " + " + in_quotes(right) +
                          ": expected entries of the vocabulary, " + in_quotes(spelling) +
                          " is not in it");
    }
    return *id;
  };
  const TokenId left_id = id_or_refuse(left);
  const TokenId right_id = id_or_refuse(right);
  if (!parts.merges.add(left_id, right_id, id_or_refuse(joined))) {
    refuse(where(), in_quotes(left) + " + " + in_quotes(right) + " is there twice: expected once");
  }
}

/// A merge written "left right", as in merges.txt and in older tokenizer.json files.
template <class Where>
void add_merge_line(TokenizerParts& parts, std::string_view line, std::size_t longest_entry,
                    Where where) {
  const std::size_t space = line.find(' ');
  const bool two = space != line.npos && space > 0 && space + 1 < line.size() &&
                   line.find(' ', space + 1) == line.npos;
  if (!two) {
    refuse(where(), "expected two entries with one space between, found " + in_quotes(line));
  }
  add_merge(parts, line.substr(0, space), line.substr(space + 1), longest_entry, where);
}

/// An added token {"content": …, "special": …, …}, entered into the vocabulary where it is new.
inline void add_token(TokenizerParts& parts, const Json& entry, std::int64_t id,
                      const std::string& where) {
  AddedToken token;
  token.content = string_of(member(entry, "content"), where + ": content");
  const std::string named = where + ": " + in_quotes(token.content);
  token.special = flag_of(entry, "special", named);
  token.lstrip = flag_of(entry, "lstrip", named);
  token.rstrip = flag_of(entry, "rstrip", named);
  token.single_word = flag_of(entry, "single_word", named);
  // Upstream's default: what is not special is looked for in normalised text.
  token.normalized = present(entry, "normalized") == nullptr ? !token.special
                                                             : flag_of(entry, "normalized", named);
  const auto known = parts.vocabulary.find(token.content);
  if (!known) {
    parts.vocabulary.insert(token.content, id, where);
  } else if (*known != id) {
    refuse(named, "has id " + std::to_string(id) + ", expected " + std::to_string(*known) +
                      ", which the vocabulary gives it");
  }
  token.id = static_cast<TokenId>(id);
  parts.added.push_back(std::move(token));
}

}  // namespace stamp::text::detail
