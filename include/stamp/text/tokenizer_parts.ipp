// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/tokenizer_parts.hpp>.
#pragma once

#include <algorithm>
#include <limits>
#include <stamp/text/tokenizer_parts.hpp>
#include <utility>

namespace stamp::text::detail {

void refuse(std::string_view where, const std::string& sentence) {
  fail(Fault::input, std::string(where) + ": " + sentence);
}

std::string kind_of(const Json* value) {
  if (value == nullptr) return "nothing";
  const std::string name = value->type_name();
  if (name == "null") return "null";
  return (name == "object" || name == "array" ? "an " : "a ") + name;
}

const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json* present(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string string_of(const Json* value, const std::string& where) {
  if (value == nullptr || !value->is_string()) {
    refuse(where, "expected a string, found " + kind_of(value));
  }
  return value->get<std::string>();
}

bool flag_of(const Json& object, const char* name, const std::string& where) {
  const Json* value = present(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    refuse(where + ": " + name, "expected true or false, found " + kind_of(value));
  }
  return value->get<bool>();
}

std::int64_t id_of(const Json* value, const std::string& where) {
  if (value == nullptr || !value->is_number_integer()) {
    refuse(where, "expected an id, found " + kind_of(value));
  }
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{most}) return most;
  return value->get<std::int64_t>();
}

std::size_t add_entries(Vocabulary& vocabulary, const Json* entries, const std::string& where) {
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

void add_token(TokenizerParts& parts, const Json& entry, std::int64_t id,
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
