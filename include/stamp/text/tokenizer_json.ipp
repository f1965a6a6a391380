// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/tokenizer_json.hpp>.
#pragma once

#include <set>
#include <stamp/text/tokenizer_json.hpp>

namespace stamp::text::detail {

void refuse_type(const std::string& where, std::string_view type, std::string_view expected) {
  refuse(where, "type " + in_quotes(type) + " is not supported: expected " + std::string(expected));
}

void read_normalizer(TokenizerParts& parts, const Json& root, const std::string& file) {
  parts.normalizer = Normalizer::none;
  each_component(root, "normalizer", "normalizers", file,
                 [&](const Json&, const std::string& type, const std::string& where) {
                   if (type != "NFC") refuse_type(where, type, "NFC or none");
                   parts.normalizer = Normalizer::nfc;
                 });
}

void read_pre_tokenizer(TokenizerParts& parts, const Json& root, const std::string& file) {
  bool byte_level = false;
  each_component(
      root, "pre_tokenizer", "pretokenizers", file,
      [&](const Json& value, const std::string& type, const std::string& where) {
        if (byte_level)
          refuse(where, in_quotes(type) + " follows ByteLevel: expected nothing there");
        if (type == "Split") {
          const Json* pattern = member(value, "pattern");
          if (pattern == nullptr || !pattern->is_object() || !pattern->contains("Regex")) {
            refuse(where + ": Split", "expected a pattern of the kind Regex");
          }
          const std::string behavior = string_of(member(value, "behavior"), where + ": behavior");
          if (behavior != "Isolated" || flag_of(value, "invert", where)) {
            refuse(where + ": Split",
                   "expected the behavior Isolated, not inverted; found " + in_quotes(behavior));
          }
          parts.words.add(string_of(member(*pattern, "Regex"), where + ": Regex"), where);
        } else if (type == "ByteLevel") {
          if (flag_of(value, "add_prefix_space", where)) {
            refuse(where + ": ByteLevel", "add_prefix_space is true: expected false");
          }
          // Upstream's default for use_regex is true.
          const bool by_itself =
              present(value, "use_regex") == nullptr || flag_of(value, "use_regex", where);
          if (by_itself) parts.words.add(gpt2_words, where);
          byte_level = true;
        } else {
          refuse_type(where, type, "Split or ByteLevel");
        }
      });
  if (!byte_level) refuse(file + ": pre_tokenizer", "expected ByteLevel in it, found none");
}

void check_byte_level(const Json& root, const std::string& file) {
  bool decoder = false;
  const auto check = [](const Json&, const std::string& type, const std::string& where) {
    if (type != "ByteLevel") refuse_type(where, type, "ByteLevel");
  };
  each_component(root, "decoder", "decoders", file,
                 [&](const Json& value, const std::string& type, const std::string& where) {
                   check(value, type, where);
                   decoder = true;
                 });
  if (!decoder) refuse(file + ": decoder", "expected ByteLevel, found none");
  each_component(root, "post_processor", "processors", file, check);
}

void read_model(TokenizerParts& parts, const Json& root, const std::string& file) {
  const std::string where = file + ": model";
  const Json* model = member(root, "model");
  if (model == nullptr || !model->is_object()) {
    refuse(where, "expected an object, found " + kind_of(model));
  }
  if (const Json* type = present(*model, "type")) {
    const std::string name = string_of(type, where + ": type");
    if (name != "BPE") refuse_type(where, name, "BPE");
  }
  for (const char* option : {"byte_fallback", "ignore_merges"}) {
    if (flag_of(*model, option, where)) refuse(where + ": " + option, "expected false, found true");
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* text = present(*model, affix);
    if (text != nullptr && !string_of(text, where + ": " + affix).empty()) {
      refuse(where + ": " + affix, "expected none, found " + in_quotes(text->get<std::string>()));
    }
  }
  if (const Json* dropout = present(*model, "dropout"); dropout != nullptr && *dropout != 0) {
    refuse(where + ": dropout", "expected none: text must always give the same tokens");
  }
  const std::size_t longest =
      add_entries(parts.vocabulary, member(*model, "vocab"), where + ": vocab");

  const Json* merges = member(*model, "merges");
  if (merges == nullptr || !merges->is_array()) {
    refuse(where + ": merges", "expected an array, found " + kind_of(merges));
  }
  parts.merges.reserve(merges->size());
  for (std::size_t at = 0; at < merges->size(); ++at) {
    const Json& merge = (*merges)[at];
    const auto named = [&] { return file + ": merge " + std::to_string(at); };
    if (merge.is_string()) {
      add_merge_line(parts, merge.get_ref<const std::string&>(), longest, named);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      add_merge(parts, merge[0].get_ref<const std::string&>(),
                merge[1].get_ref<const std::string&>(), longest, named);
    } else {
      refuse(named(), "expected two entries, found " + kind_of(&merge));
    }
  }
}

void read_added_tokens(TokenizerParts& parts, const Json& root, const std::string& file) {
  const std::string where = file + ": added_tokens";
  const Json* tokens = present(root, "added_tokens");
  if (tokens == nullptr) return;
  if (!tokens->is_array()) refuse(where, "expected an array, found " + kind_of(tokens));
  std::set<std::string> contents;
  for (const Json& token : *tokens) {
    if (!token.is_object()) refuse(where, "expected objects, found " + kind_of(&token));
    add_token(parts, token, id_of(member(token, "id"), where + ": id"), where);
    if (!contents.insert(parts.added.back().content).second) {
      refuse(where, in_quotes(parts.added.back().content) + " is there twice: expected once");
    }
  }
}

void check_unknown_token(const TokenizerParts& parts, const Json& root, const std::string& file) {
  if (present(root.at("model"), "unk_token") == nullptr) return;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::string spelling = byte_level_spelling(std::string(1, static_cast<char>(byte)));
    if (!parts.vocabulary.find(spelling)) {
      refuse(file + ": model: unk_token", "expected none, as the byte " + std::to_string(byte) +
                                              " (" + in_quotes(spelling) + ") has no entry");
    }
  }
}

TokenizerParts read_tokenizer_json(const std::filesystem::path& path) {
  const Json root = checkpoint::read_json(path, tokenizer_limits);
  const std::string file = checkpoint::shown(path);
  if (!root.is_object()) refuse(file, "expected an object, found " + kind_of(&root));
  TokenizerParts parts;
  read_model(parts, root, file);
  read_normalizer(parts, root, file);
  read_pre_tokenizer(parts, root, file);
  check_byte_level(root, file);
  read_added_tokens(parts, root, file);
  check_unknown_token(parts, root, file);
  return parts;
}

}  // namespace stamp::text::detail
