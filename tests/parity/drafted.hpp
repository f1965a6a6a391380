// SPDX-License-Identifier: Apache-2.0
// Guessed words must not change an answer: greedy answers to the questions of all goldens.
#pragma once

#include <parity/golden_cases.hpp>
#include <vector>

namespace stamp::test {

/// The greedy answer to a golden's question with up to `drafted` guesses a pass.
template <Backend B>
[[nodiscard]] std::vector<std::int32_t> greedy_answer(B& engine, const Stamp<B>& stamp,
                                                      const ReplayInput& input, Index drafted,
                                                      Index words, Index& passes) {
  Dialogue<B> dialogue(engine, stamp);
  dialogue.draft(drafted);
  if (!input.grids.empty()) dialogue.look(input.pixel_values, input.grids);
  const auto prompt = std::span(input.ids).first(static_cast<std::size_t>(input.prompt_length));
  constexpr std::int32_t no_end = -1;
  const auto answer =
      dialogue.generate_greedily(dialogue.read(prompt), no_end, words, [](std::int32_t) {});
  passes += dialogue.decode_passes();
  return answer;
}

/// How much is said: walking kernels on the host takes its time.
struct Answers {
  Index words = 48;
  std::vector<Index> drafts{1, 2, 3, 7};
};

/// Word for word the answers without guesses, in fewer passes.
template <class B, class... EngineArguments>
void expect_drafts_change_no_word(const Answers& answers, EngineArguments... arguments) {
  Index passes_without = 0;
  Index passes_with = 0;
  for (const GoldenCase& golden : float_cases()) {
    const auto input = read_exported_run(golden.activations).input;
    auto model = load<B>(golden.model, {}, arguments...);
    const auto answer = [&](Index drafted, Index& passes) {
      return greedy_answer(model.engine(), model.stamp(), input, drafted, answers.words, passes);
    };
    const auto plain = answer(0, passes_without);
    EXPECT_EQ(std::ssize(plain), answers.words);
    for (const Index drafted : answers.drafts) {
      EXPECT_EQ(answer(drafted, passes_with), plain) << golden.name << ", draft " << drafted;
    }
  }
  EXPECT_LT(passes_with, std::ssize(answers.drafts) * passes_without) << "no guess was right";
}

}  // namespace stamp::test
