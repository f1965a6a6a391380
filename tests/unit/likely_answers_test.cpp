// SPDX-License-Identifier: Apache-2.0
// A conversation that is told what its answers are likely to be: the same answers, in fewer passes
// of the language model.
#include <gtest/gtest.h>

#include <filesystem>
#include <stamp/reference.hpp>
#include <stamp/session/conversation.hpp>

namespace stamp::test {
namespace {

using Engine = reference::Engine<float>;

struct Told {
  Answer answer;
  Index passes = 0;
};

Told ask(Model<Engine>& model, Index draft, const std::vector<std::string>& likely) {
  Conversation<Engine> conversation(model);
  Told told;
  told.answer = conversation.ask("the mug", {.max_new_tokens = 12,
                                             .sampling = text::Sampling{},
                                             .draft = draft,
                                             .likely_answers = likely});
  told.passes = conversation.dialogue().decode_passes();
  return told;
}

TEST(LikelyAnswers, AreGuessedFirstAndChangeNoWord) {
  auto model = load<Engine>(std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens/models/tied");
  const Told plain = ask(model, 0, {});
  ASSERT_EQ(plain.answer.output_ids.size(), 12U);
  EXPECT_EQ(plain.passes, 11) << "the prompt's own gives the first word";
  const Told guessed = ask(model, 3, {});
  const Told known = ask(model, 3, {"No.", plain.answer.text});
  EXPECT_EQ(guessed.answer.output_ids, plain.answer.output_ids);
  EXPECT_EQ(known.answer.output_ids, plain.answer.output_ids);
  EXPECT_LT(known.passes, guessed.passes);
  EXPECT_LE(known.passes, 5) << "four words a pass, and the first ones may be guessed wrongly";
  EXPECT_EQ(ask(model, 0, {plain.answer.text}).passes, plain.passes) << "guesses are not asked for";
}

}  // namespace
}  // namespace stamp::test
