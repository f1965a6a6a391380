// SPDX-License-Identifier: Apache-2.0
// Reads a tokenizer from a checkpoint folder: tokenizer.json, or vocab.json with merges.txt.
// Mirrors transformers' PreTrainedTokenizerBase.from_pretrained for Qwen2's tokenizer.
#pragma once

#include <filesystem>
#include <stamp/text/tokenizer.hpp>

namespace stamp::text {

/// The tokenizer in `folder`. Throws Error{input} naming the file, the entry, merge or line, what
/// was expected and what was found; see bad-input rows 34 to 39.
[[nodiscard]] Tokenizer read_tokenizer(const std::filesystem::path& folder);

}  // namespace stamp::text
