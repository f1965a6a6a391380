// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/pre_tokenizer.hpp>.
#pragma once

#include <stamp/text/pre_tokenizer.hpp>

namespace stamp::text {

void PreTokenizer::add(std::string_view pattern, const std::string& where) {
  patterns_.emplace_back(pcre2_pattern(pattern, where), where);
}

}  // namespace stamp::text
