// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/regex.hpp>.
#pragma once

#include <stamp/text/regex.hpp>
#include <utility>

namespace stamp::text {

namespace detail {

[[nodiscard]] inline std::string pcre2_message(int code) {
  PCRE2_UCHAR words[256] = {};
  pcre2_get_error_message(code, words, sizeof words);
  return reinterpret_cast<const char*>(words);
}

}  // namespace detail

Regex::Regex(std::string_view pattern, std::string where) : where_(std::move(where)) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                            nullptr));
  if (!code_) {
    fail(Fault::input, where_ + ": the pattern does not compile at byte " + std::to_string(offset) +
                           ": " + detail::pcre2_message(error));
  }
  std::uint32_t matches_nothing = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_MATCHEMPTY, &matches_nothing);
  if (matches_nothing != 0) {  // engines disagree on where to look after an empty match
    fail(Fault::input, where_ + ": the pattern can match empty text, expected one that cannot");
  }
  // Where the system forbids executable memory this fails, and the interpreter matches instead.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

void Regex::give_up(int code, std::size_t at, std::size_t bytes) const {
  fail(Fault::input, where_ + ": the pattern gave up at byte " + std::to_string(at) + " of " +
                         std::to_string(bytes) + ": " + detail::pcre2_message(code));
}

}  // namespace stamp::text
