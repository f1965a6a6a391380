// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/tokenizer_file.hpp>.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <stamp/checkpoint/json.hpp>
#include <stamp/checkpoint/regular_file.hpp>
#include <stamp/text/tokenizer_file.hpp>
#include <stamp/text/tokenizer_json.hpp>
#include <stamp/text/tokenizer_parts.hpp>
#include <utility>

namespace stamp::text {

namespace detail {

/// One entry a file may add to the tokens that are known: by id, the form of added_tokens_decoder.
using NamedTokens = std::map<std::int64_t, std::pair<Json, std::string>>;  // entry, where

/// Every special token that `settings` names: the texts of eos_token and its like.
inline void collect_special(const Json& settings, std::set<std::string>& special) {
  const auto collect = [&](const Json& value) {
    if (value.is_string()) special.insert(value.get<std::string>());
    if (!value.is_object()) return;
    const Json* content = member(value, "content");
    if (content != nullptr && content->is_string()) special.insert(content->get<std::string>());
  };
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    if (const Json* value = present(settings, name)) collect(*value);
  }
  if (const Json* several = present(settings, "additional_special_tokens")) {
    for (const Json& value : *several) collect(value);
  }
}

[[nodiscard]] inline Json read_object(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return Json::object();
  Json root = checkpoint::read_json(path, tokenizer_limits);
  if (!root.is_object()) {
    refuse(checkpoint::shown(path), "expected an object, found " + kind_of(&root));
  }
  return root;
}

/// The tokens that tokenizer_config.json adds or, before it listed them, added_tokens.json.
[[nodiscard]] inline NamedTokens read_named_tokens(const std::filesystem::path& folder) {
  NamedTokens tokens;
  const Json settings = read_object(folder / "tokenizer_config.json");
  if (const Json* decoder = present(settings, "added_tokens_decoder")) {
    const std::string where =
        checkpoint::shown(folder / "tokenizer_config.json") + ": added_tokens_decoder";
    if (!decoder->is_object()) refuse(where, "expected an object, found " + kind_of(decoder));
    for (const auto& [key, entry] : decoder->items()) {
      const bool digits = !key.empty() && key.size() <= 9 &&
                          key.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) refuse(where, "expected an id, found " + in_quotes(key));
      if (!entry.is_object()) refuse(where, "expected objects, found " + kind_of(&entry));
      if (!tokens.try_emplace(std::stoll(key), entry, where).second) {
        refuse(where, "id " + in_quotes(key) + " is there twice: expected once");
      }
    }
    return tokens;
  }
  std::set<std::string> special;
  collect_special(settings, special);
  collect_special(read_object(folder / "special_tokens_map.json"), special);
  const std::string where = checkpoint::shown(folder / "added_tokens.json");
  const Json added = read_object(folder / "added_tokens.json");
  for (const auto& [content, id] : added.items()) {
    const Json entry{{"content", content}, {"special", special.contains(content)}};
    if (!tokens.try_emplace(id_of(&id, where), entry, where).second) {
      refuse(where, "id " + id.dump() + " is there twice: expected once");
    }
  }
  return tokens;
}

/// merges.txt: a merge a line, the earliest first; a first line "#version" and empty ones are none.
inline void read_merges(TokenizerParts& parts, const std::filesystem::path& path,
                        std::size_t longest_entry) {
  const checkpoint::RegularFile file(path);
  const std::string name = checkpoint::shown(path);
  if (file.size() > tokenizer_limits.bytes) {
    refuse(name, std::to_string(file.size()) + " bytes, expected at most " +
                     std::to_string(tokenizer_limits.bytes));
  }
  const std::string text = file.read_all();
  require_utf8(text, name);
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version:"))) continue;
    add_merge_line(parts, line, longest_entry,
                   [&] { return name + ": line " + std::to_string(number); });
  }
}

/// The older layout, whose normaliser and words are those of Qwen2's tokenizer class.
[[nodiscard]] inline TokenizerParts read_vocab_and_merges(const std::filesystem::path& folder) {
  TokenizerParts parts;
  const std::string file = checkpoint::shown(folder / "vocab.json");
  const Json entries = checkpoint::read_json(folder / "vocab.json", tokenizer_limits);
  const std::size_t longest = add_entries(parts.vocabulary, &entries, file);
  read_merges(parts, folder / "merges.txt", longest);
  parts.words.add(qwen2_words, file);
  return parts;
}

}  // namespace detail

Tokenizer read_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path whole = folder / "tokenizer.json";
  const bool older =
      !std::filesystem::exists(whole) && std::filesystem::exists(folder / "vocab.json");
  TokenizerParts parts =
      older ? detail::read_vocab_and_merges(folder) : detail::read_tokenizer_json(whole);
  parts.source = checkpoint::shown(older ? folder / "vocab.json" : whole);
  for (const auto& [id, named] : detail::read_named_tokens(folder)) {
    const auto& [entry, where] = named;
    const detail::Json* content = detail::member(entry, "content");
    const bool known = content != nullptr && content->is_string() &&
                       std::any_of(parts.added.begin(), parts.added.end(), [&](const auto& token) {
                         return token.content == content->get_ref<const std::string&>();
                       });
    if (!known) detail::add_token(parts, entry, id, where);
  }
  parts.vocabulary.require_dense(parts.source);
  return Tokenizer(std::move(parts));
}

}  // namespace stamp::text
