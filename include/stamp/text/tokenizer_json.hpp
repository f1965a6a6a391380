// SPDX-License-Identifier: Apache-2.0
// tokenizer.json, the layout of Hugging Face `tokenizers`: byte-level BPE and nothing else.
// A part that would tokenise differently from what is built here is refused by its name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stamp/checkpoint/json.hpp>
#include <stamp/text/tokenizer_parts.hpp>
#include <string>
#include <string_view>

namespace stamp::text::detail {

/// A tokenizer of 151 k entries has 7 to 12 MB; half a million entries still fit.
inline constexpr checkpoint::JsonLimits tokenizer_limits{.bytes = std::size_t{64} << 20};

/// Calls `part(value, type, where)` for the component `name` or, when that is a Sequence, for each
/// component in it, held under `list`. An absent component is no call.
template <class Part>
void each_component(const Json& root, const char* name, const char* list, const std::string& file,
                    Part part) {
  const Json* component = present(root, name);
  if (component == nullptr) return;
  const std::string where = file + ": " + name;
  const auto type_of = [&](const Json& value) {
    if (!value.is_object()) refuse(where, "expected an object, found " + kind_of(&value));
    return string_of(member(value, "type"), where + ": type");
  };
  const std::string type = type_of(*component);
  if (type != "Sequence") return part(*component, type, where);
  const Json* parts = member(*component, list);
  if (parts == nullptr || !parts->is_array()) {
    refuse(where + ": " + list, "expected an array, found " + kind_of(parts));
  }
  for (const Json& each : *parts) part(each, type_of(each), where);
}

[[noreturn]] void refuse_type(const std::string& where, std::string_view type,
                              std::string_view expected);

void read_normalizer(TokenizerParts& parts, const Json& root, const std::string& file);

void read_pre_tokenizer(TokenizerParts& parts, const Json& root, const std::string& file);

/// The decoder must be ByteLevel; a post-processor may only move offsets, never add tokens.
void check_byte_level(const Json& root, const std::string& file);

/// The BPE model. Returns the bytes of its longest entry.
void read_model(TokenizerParts& parts, const Json& root, const std::string& file);

void read_added_tokens(TokenizerParts& parts, const Json& root, const std::string& file);

/// A byte without an entry is dropped by upstream when there is no unknown token, which is what is
/// done here; with an unknown token it would become that, which is not.
void check_unknown_token(const TokenizerParts& parts, const Json& root, const std::string& file);

[[nodiscard]] TokenizerParts read_tokenizer_json(const std::filesystem::path& path);

}  // namespace stamp::text::detail
