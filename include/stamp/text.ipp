// SPDX-License-Identifier: Apache-2.0
// Every definition of <stamp/text/…>: tokenizers, chat templates and labels.
#pragma once

#include <stamp/text/added_tokens.ipp>
#include <stamp/text/byte_level.ipp>
#include <stamp/text/byte_pair.ipp>
#include <stamp/text/chat_template.ipp>
#include <stamp/text/mask_labels.ipp>
#include <stamp/text/nfc.ipp>
#include <stamp/text/oniguruma.ipp>
#include <stamp/text/pre_tokenizer.ipp>
#include <stamp/text/regex.ipp>
#include <stamp/text/sampling.ipp>
#include <stamp/text/tokenizer.ipp>
#include <stamp/text/tokenizer_file.ipp>
#include <stamp/text/tokenizer_json.ipp>
#include <stamp/text/tokenizer_parts.ipp>
#include <stamp/text/unicode.ipp>
#include <stamp/text/utf8.ipp>
#include <stamp/text/vocabulary.ipp>
