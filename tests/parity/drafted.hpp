// SPDX-License-Identifier: Apache-2.0
// Guessed words must not change an answer, nor where a word is chosen: greedy and sampled answers
// to the questions of all goldens.
#pragma once

#include <parity/golden_cases.hpp>
#include <stamp/text/sampling.hpp>
#include <unit/whole_row_sampling.hpp>
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

/// What people sample with: Qwen2-VL's own settings, transformers' defaults, and others.
[[nodiscard]] inline std::vector<text::Sampling> usual_samplings() {
  using enum text::Choice;
  return {{sample, 0.01, 1, 0.001, 1.0, 3}, {sample, 0.01, 1, 0.001, 1.05, 3},
          {sample, 1.0, 50, 1.0, 1.0, 4},   {sample, 0.9, 20, 0.8, 1.2, 5},
          {sample, 1.3, 0, 0.95, 0.9, 6},   {greedy, 1.0, 50, 1.0, 1.1, 7}};
}

/// A sampled answer, of words chosen on the host among all scores, or among what top-k keeps where
/// the scores are.
template <Backend B>
[[nodiscard]] std::vector<std::int32_t> sampled_answer(B& engine, const Stamp<B>& stamp,
                                                       const ReplayInput& input,
                                                       const text::Sampling& sampling,
                                                       bool among_all, Index drafted, Index words) {
  Dialogue<B> dialogue(engine, stamp);
  dialogue.draft(drafted);
  if (!input.grids.empty()) dialogue.look(input.pixel_values, input.grids);
  const auto prompt = std::span(input.ids).first(static_cast<std::size_t>(input.prompt_length));
  constexpr std::int32_t no_end = -1;
  const auto said = [](std::int32_t) {};
  text::Sampler sampler(sampling);
  if (!among_all) {
    return dialogue.generate_among(
        dialogue.read(prompt), sampler.keeps(), no_end, words,
        [&](std::span<const Scored> kept) { return sampler.next(kept); }, said);
  }
  std::mt19937_64 random(sampling.seed);
  return dialogue.generate(
      dialogue.read(prompt), no_end, words,
      [&](auto row, auto history) {
        return next_of_whole_row({row.begin(), row.end()}, history, sampling, random);
      },
      said);
}

/// Word for word the answers chosen among all scores, with and without guesses.
template <class B, class... EngineArguments>
void expect_sampling_among_kept_changes_no_word(const Answers& answers,
                                                const std::vector<text::Sampling>& samplings,
                                                EngineArguments... arguments) {
  std::size_t changes = 0;
  for (const GoldenCase& golden : float_cases()) {
    const auto input = read_exported_run(golden.activations).input;
    auto model = load<B>(golden.model, {}, arguments...);
    std::vector<std::int32_t> last;
    for (const text::Sampling& sampling : samplings) {
      const auto answer = [&](bool among_all, Index drafted) {
        return sampled_answer(model.engine(), model.stamp(), input, sampling, among_all, drafted,
                              answers.words);
      };
      const auto expected = answer(true, 0);
      EXPECT_EQ(std::ssize(expected), answers.words);
      EXPECT_EQ(answer(false, 0), expected) << golden.name << ", seed " << sampling.seed;
      EXPECT_EQ(answer(false, 3), expected)
          << golden.name << ", seed " << sampling.seed << ", with guesses";
      changes += expected == last ? 0 : 1;
      last = expected;
    }
  }
  EXPECT_GT(changes, float_cases().size()) << "the settings change nothing";
}

}  // namespace stamp::test
