// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/chat_template.hpp>.
#pragma once

#include <algorithm>
#include <stamp/text/chat_template.hpp>
#include <utility>

namespace stamp::text {

ControlTokens control_tokens(const Tokenizer& tokenizer) {
  return {.im_start = tokenizer.require_added("<|im_start|>"),
          .im_end = tokenizer.require_added("<|im_end|>"),
          .vision_start = tokenizer.require_added("<|vision_start|>"),
          .vision_end = tokenizer.require_added("<|vision_end|>"),
          .image_pad = tokenizer.require_added("<|image_pad|>")};
}

namespace detail {

/// Ids in the making. Text waits until a control token ends it, because "user", a newline and the
/// prompt are one text to the tokenizer: words and normalisation reach across their seams.
class ChatWriter {
 public:
  ChatWriter(const Tokenizer& tokenizer, const ControlTokens& control)
      : tokenizer_(tokenizer), control_(control) {}

  void open(Role role) {
    put(control_.im_start);
    text_ += name_of(role);
    text_ += '\n';
  }
  void close() {
    const bool closed =
        after_ids_ && text_.empty() && !ids_.empty() && ids_.back() == control_.im_end;
    if (!closed) put(control_.im_end);
    after_ids_ = false;
    text_ += '\n';
  }

  void write(const TextPart& part, std::string_view what) {
    require_utf8(part.text, what);
    // The template's own words read the same both ways, so that only the parts' readings matter.
    if (has_part_ && reading_ != part.reading) flush();
    reading_ = part.reading;
    has_part_ = true;
    text_ += part.text;
    what_ = what;
  }
  void write(const ImagePart& part, std::string_view) {
    if (part.tokens <= 0) {
      fail(Fault::usage,
           "image of a chat turn: expected 1 or more tokens, found " + std::to_string(part.tokens));
    }
    put(control_.vision_start);
    ids_.insert(ids_.end(), static_cast<std::size_t>(part.tokens), control_.image_pad);
    put(control_.vision_end);
  }
  void write(const IdsPart& part, std::string_view) {
    flush();
    ids_.insert(ids_.end(), part.ids.begin(), part.ids.end());
    after_ids_ = true;
  }

  [[nodiscard]] std::vector<TokenId> finish() {
    flush();
    return std::move(ids_);
  }

 private:
  void put(TokenId id) {
    flush();
    ids_.push_back(id);
    after_ids_ = false;
  }
  void flush() {
    if (text_.empty()) return;
    const std::vector<TokenId> ids = tokenizer_.encode(text_, reading_);
    // Pads belong to images: one that a text brings along would be a feature that nobody has.
    if (std::find(ids.begin(), ids.end(), control_.image_pad) != ids.end()) {
      fail(Fault::input, std::string(what_) +
                             " has <|image_pad|> as a control token: expected it only where an "
                             "image stands");
    }
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    text_.clear();
    reading_ = SpecialTokens::as_text;
    has_part_ = after_ids_ = false;
  }

  const Tokenizer& tokenizer_;
  const ControlTokens& control_;
  std::vector<TokenId> ids_;
  std::string text_;  ///< not encoded yet
  SpecialTokens reading_ = SpecialTokens::as_text;
  bool has_part_ = false;   ///< text_ has a TextPart, whose reading is reading_
  bool after_ids_ = false;  ///< ids_ ends with an IdsPart
  std::string_view what_ = "prompt";
};

}  // namespace detail

std::vector<TokenId> apply_chat_template(const Tokenizer& tokenizer, const ControlTokens& control,
                                         const std::vector<Turn>& turns,
                                         GenerationPrompt generation) {
  detail::ChatWriter writer(tokenizer, control);
  if (!turns.empty() && turns.front().role != Role::system) {
    writer.open(Role::system);
    writer.write(TextPart{.text = std::string(default_system_text)}, "system prompt");
    writer.close();
  }
  for (const Turn& turn : turns) {
    const std::string_view what = turn.role == Role::user     ? "prompt"
                                  : turn.role == Role::system ? "system prompt"
                                                              : "response";
    writer.open(turn.role);
    for (const Part& part : turn.parts) {
      std::visit([&](const auto& each) { writer.write(each, what); }, part);
    }
    writer.close();
  }
  if (generation == GenerationPrompt::open) writer.open(Role::assistant);
  return writer.finish();
}

}  // namespace stamp::text
