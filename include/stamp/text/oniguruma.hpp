// SPDX-License-Identifier: Apache-2.0
// A regular expression written for Oniguruma (what tokenizer.json holds) in PCRE2's spelling.
// Only what means the same, or can be made to, passes; everything else is refused by name.
#pragma once

#include <stamp/tensor/check.hpp>
#include <stamp/text/unicode.hpp>
#include <stamp/text/utf8.hpp>
#include <string>
#include <string_view>

namespace stamp::text {

/// The PCRE2 pattern (for PCRE2_UTF | PCRE2_UCP) that matches what Oniguruma matches with
/// `pattern`. Known are groups, alternatives, look-around, repetition, sets, `\s`, `\p{L}`,
/// `\p{N}` and escaped characters; throws Error{input}, starting with `where`, for all else.
[[nodiscard]] std::string pcre2_pattern(std::string_view pattern, std::string_view where);

}  // namespace stamp::text
