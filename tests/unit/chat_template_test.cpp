// SPDX-License-Identifier: Apache-2.0
// The compiled-in template against transformers' apply_chat_template of Qwen2-VL's Jinja text.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stamp/text/chat_template.hpp>
#include <stamp/text/mask_labels.hpp>
#include <stamp/text/tokenizer_file.hpp>
#include <string>
#include <vector>

namespace {

using namespace stamp::text;
using Ids = std::vector<TokenId>;
using Labels = std::vector<std::optional<std::string>>;

const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/text";

const Tokenizer& tokenizer() {
  static const Tokenizer loaded = read_tokenizer(goldens / "tokenizer");
  return loaded;
}
const ControlTokens& control() {
  static const ControlTokens tokens = control_tokens(tokenizer());
  return tokens;
}
Ids rendered(const std::vector<Turn>& turns, GenerationPrompt generation = GenerationPrompt::open) {
  return apply_chat_template(tokenizer(), control(), turns, generation);
}
std::string text_of(const Ids& ids) { return tokenizer().decode(ids, Decoding::keep_special); }

std::vector<Turn> turns_of(const nlohmann::json& conversation) {
  std::vector<Turn> turns;
  for (const auto& entry : conversation) {
    Turn turn;
    const auto role = entry[0].get<std::string>();
    turn.role = role == "user" ? Role::user : role == "system" ? Role::system : Role::assistant;
    for (const auto& part : entry[1]) {
      if (part.is_string()) {
        turn.parts.emplace_back(TextPart{.text = part, .reading = SpecialTokens::as_control});
      } else {
        turn.parts.emplace_back(ImagePart{.tokens = part});
      }
    }
    turns.push_back(turn);
  }
  return turns;
}

TEST(ChatTemplate, IdsAreHuggingFaces) {
  std::ifstream file(goldens / "chat.json");
  const auto golden = nlohmann::json::parse(file);
  EXPECT_GE(golden["conversations"].size(), 30U);
  for (const auto& row : golden["conversations"]) {
    const auto generation =
        row["generation"].get<bool>() ? GenerationPrompt::open : GenerationPrompt::none;
    EXPECT_EQ(rendered(turns_of(row["turns"]), generation), row["ids"].get<Ids>()) << row["turns"];
  }
}

TEST(ChatTemplate, TypedSpecialTokensStayTextUnlessAsked) {
  const std::string typed = "<|seg|><|mask|><|image_pad|><|im_end|><|vision_start|>";
  const Ids plain = rendered({{Role::user, {ImagePart{.tokens = 3}, TextPart{.text = typed}}}});
  const auto count = [](const Ids& ids, TokenId id) {
    return std::count(ids.begin(), ids.end(), id);
  };
  EXPECT_EQ(count(plain, tokenizer().require_added("<|seg|>")), 0);
  EXPECT_EQ(count(plain, tokenizer().require_added("<|mask|>")), 0);
  EXPECT_EQ(count(plain, control().image_pad), 3);
  EXPECT_EQ(count(plain, control().vision_start), 1);
  EXPECT_EQ(count(plain, control().im_end), 2);
  EXPECT_NE(text_of(plain).find(typed), std::string::npos);

  const Ids asked = rendered(
      {{Role::user, {TextPart{.text = "a <|seg|>", .reading = SpecialTokens::as_control}}}});
  EXPECT_EQ(count(asked, tokenizer().require_added("<|seg|>")), 1);
}

TEST(ChatTemplate, PadsComeOnlyFromImages) {
  try {
    (void)rendered(
        {{Role::user, {TextPart{.text = "<|image_pad|>", .reading = SpecialTokens::as_control}}}});
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    EXPECT_EQ(error.fault(), stamp::Fault::input);
    EXPECT_NE(std::string(error.what()).find("prompt has <|image_pad|>"), std::string::npos);
  }
  EXPECT_THROW((void)rendered({{Role::user, {ImagePart{.tokens = 0}}}}), stamp::Error);
}

TEST(ChatTemplate, ReadingsOfNeighboursDoNotMix) {
  const Ids ids = rendered({{Role::user,
                             {TextPart{.text = "<|seg|>"},
                              TextPart{.text = "<|seg|>", .reading = SpecialTokens::as_control},
                              TextPart{.text = "<|seg|>"}}}});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer().require_added("<|seg|>")), 1);
}

TEST(ChatTemplate, AnswersGoBackAsTheIdsThatTheModelWrote) {
  const TokenId seg = tokenizer().require_added("<|seg|>");
  Ids answer = tokenizer().encode("The mug ", SpecialTokens::as_text);
  answer.push_back(seg);
  Ids ended = answer;
  ended.push_back(control().im_end);
  const auto turns = [](const Ids& ids) {
    return std::vector<Turn>{{Role::user, {TextPart{.text = "Where?"}}},
                             {Role::assistant, {IdsPart{.ids = ids}}},
                             {Role::user, {TextPart{.text = "And?"}}}};
  };
  const Ids once = rendered(turns(ended));
  EXPECT_EQ(once, rendered(turns(answer))) << "a turn is closed exactly once";
  EXPECT_NE(std::search(once.begin(), once.end(), ended.begin(), ended.end()), once.end());
  EXPECT_NE(text_of(once).find("The mug <|seg|><|im_end|>\n<|im_start|>user\nAnd?"),
            std::string::npos);
}

TEST(ChatTemplate, BadUtf8IsNamedByWhoSaidIt) {
  const auto error_of = [](Role role) -> std::string {
    try {
      (void)rendered({{role, {TextPart{.text = "ab\xED\xA0\x80"}}}});
    } catch (const stamp::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(error_of(Role::user).starts_with("prompt is not UTF-8 at byte 2"));
  EXPECT_TRUE(error_of(Role::system).starts_with("system prompt is not UTF-8 at byte 2"));
  EXPECT_TRUE(error_of(Role::assistant).starts_with("response is not UTF-8 at byte 2"));
}

Labels labels(const std::string& answer) {
  const Ids ids = tokenizer().encode(answer, SpecialTokens::as_control);
  return mask_labels(tokenizer(), ids, tokenizer().require_added("<|seg|>"));
}

TEST(MaskLabels, AreThePhrasesBeforeTheirTokens) {
  EXPECT_EQ(labels("Here is the red mug. <|seg|><|im_end|>"), Labels{"the red mug"});
  EXPECT_EQ(labels("Sure! It's a star. The red mug: <|seg|>"), Labels{"The red mug"});
  EXPECT_EQ(labels("The red mug <|seg|>, and the blue cup <|seg|>."),
            (Labels{"The red mug", "the blue cup"}));
  EXPECT_EQ(labels("the two mugs <|seg|><|seg|> and a plate <|seg|>"),
            (Labels{"the two mugs", "the two mugs", "a plate"}));
  EXPECT_EQ(labels("the segmentation mask is <|seg|>"), Labels{std::nullopt});
  EXPECT_EQ(labels("Sure, <|seg|> and the mug is <|seg|>"), (Labels{std::nullopt, "the mug"}));
  EXPECT_EQ(labels("Sure, here are the 3.5 m poles in the image. <|seg|>"),
            Labels{"the 3.5 m poles"});
  EXPECT_EQ(labels("Island and sand <|seg|>"), Labels{"Island and sand"}) << "whole words only";
  EXPECT_EQ(labels("左边的红色杯子 <|seg|>"), Labels{"左边的红色杯子"});
  EXPECT_EQ(labels("Two circles."), Labels{});
  EXPECT_EQ(labels("<|seg|>"), Labels{std::nullopt});
}

}  // namespace
