// SPDX-License-Identifier: Apache-2.0
// Unicode normalisation form C, as Hugging Face `tokenizers` has it (tables of Unicode 9).
// Decomposition and composition are utf8proc's; the ordering between them is ours.
#pragma once

#include <utf8proc.h>
#include <stamp/tensor/check.hpp>
#include <stamp/text/unicode.hpp>
#include <stamp/text/utf8.hpp>
#include <string>
#include <string_view>

namespace stamp::text {

/// `text`, which must be valid UTF-8, in normalisation form C. O(n log n) in its length.
[[nodiscard]] std::string nfc(std::string_view text);

}  // namespace stamp::text
