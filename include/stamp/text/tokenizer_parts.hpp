// SPDX-License-Identifier: Apache-2.0
// The pieces of a tokenizer from untrusted JSON values: entries, merges and added tokens, each
// checked before it is believed. Shared by both file layouts; see tokenizer_file.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stamp/tensor/check.hpp>
#include <stamp/text/tokenizer.hpp>
#include <string>
#include <string_view>

namespace stamp::text::detail {

using Json = nlohmann::json;

[[noreturn]] void refuse(std::string_view where, const std::string& sentence);

/// "a string", "an object": what a message says was found.
[[nodiscard]] std::string kind_of(const Json* value);

/// Member `name` of an object; nullptr where it is absent.
[[nodiscard]] const Json* member(const Json& object, const char* name);
/// As above, with JSON's null as absent, too.
[[nodiscard]] const Json* present(const Json& object, const char* name);

[[nodiscard]] std::string string_of(const Json* value, const std::string& where);

/// An absent flag is false.
[[nodiscard]] bool flag_of(const Json& object, const char* name, const std::string& where);

/// An id as the file has it; its range is judged by Vocabulary.
[[nodiscard]] std::int64_t id_of(const Json* value, const std::string& where);

/// The entries {"spelling": id, …}. Returns the bytes of the longest.
std::size_t add_entries(Vocabulary& vocabulary, const Json* entries, const std::string& where);

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
void add_token(TokenizerParts& parts, const Json& entry, std::int64_t id, const std::string& where);

}  // namespace stamp::text::detail
