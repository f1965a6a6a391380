// SPDX-License-Identifier: Apache-2.0
// A conversation as the token ids of Qwen2-VL's chat template, which is compiled in: a template
// that comes with a checkpoint is never executed. Mirrors chat_template.json of Qwen2-VL-Instruct
// and the expansion of <|image_pad|> in transformers' processing_qwen2_vl.py.
#pragma once

#include <stamp/tensor/check.hpp>
#include <stamp/text/tokenizer.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stamp::text {

/// Who speaks.
enum class Role { system, user, assistant };

/// The name that the template writes after <|im_start|>.
[[nodiscard]] constexpr std::string_view name_of(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
  }
  return "?";
}

/// A text in a turn. As text, look-alikes of special tokens in it stay characters.
struct TextPart {
  std::string text;
  SpecialTokens reading = SpecialTokens::as_text;
};
/// An image in a turn: `tokens` merged patches, grid_t·grid_h·grid_w / merge².
struct ImagePart {
  Index tokens = 0;
};
/// Ids in a turn, as the model wrote them: decoding and encoding an answer again may change it.
struct IdsPart {
  std::vector<TokenId> ids;
};
using Part = std::variant<TextPart, ImagePart, IdsPart>;

/// One message. A closing <|im_end|> at the end of an IdsPart is not doubled.
struct Turn {
  Role role = Role::user;
  std::vector<Part> parts;
};

/// Whether the ids end with the opening of the assistant's next turn.
enum class GenerationPrompt { none, open };

/// The tokens that the template writes.
struct ControlTokens {
  TokenId im_start;
  TokenId im_end;
  TokenId vision_start;
  TokenId vision_end;
  TokenId image_pad;
};

/// Throws Error{input} naming the tokenizer's file and the first token that it lacks.
[[nodiscard]] ControlTokens control_tokens(const Tokenizer& tokenizer);

/// The turn that stands before a conversation which does not begin with a system turn.
inline constexpr std::string_view default_system_text = "You are a helpful assistant.";

/// The ids of a conversation. A turn is <|im_start|> role LF parts <|im_end|> LF, parts in their
/// order with nothing between; an image is <|vision_start|>, its pads, <|vision_end|>.
/// Throws Error{input} "prompt is not UTF-8 at byte K" ("system prompt", "response" by role).
[[nodiscard]] std::vector<TokenId> apply_chat_template(const Tokenizer& tokenizer,
                                                       const ControlTokens& control,
                                                       const std::vector<Turn>& turns,
                                                       GenerationPrompt generation);

}  // namespace stamp::text
