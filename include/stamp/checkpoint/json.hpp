// SPDX-License-Identifier: Apache-2.0
// JSON of untrusted files, stricter than the library that it is built on: UTF-8 only, no duplicate
// keys at any level, no lone surrogates, no NaN, no trailing bytes, bounded size and depth.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/regular_file.hpp>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/check.hpp>
#include <string_view>

namespace stamp::checkpoint {

/// What a JSON text may cost. A tokenizer.json needs more bytes, nothing needs more depth.
struct JsonLimits {
  std::size_t bytes = std::size_t{4} << 20;
  int depth = 32;
  std::size_t values = std::size_t{1} << 22;  ///< "[0,0,0...": 2 bytes of text cost 16 of memory
};

/// The document that `text` holds. Throws Error{input} "WHERE: JSON error at byte K: ...", K
/// counted from the start of `text`; "WHERE: not UTF-8 at byte K"; "WHERE: larger than N MiB".
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::string_view where,
                                        JsonLimits limits = {});

/// The document in a file, whose size is judged before a byte of it is read.
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& path, JsonLimits limits = {});

}  // namespace stamp::checkpoint
