// SPDX-License-Identifier: Apache-2.0
// Guessed words change how many passes an answer takes, and nothing else.
#include <gtest/gtest.h>

#include <parity/cpu_types.hpp>
#include <parity/tiny_dialogue.hpp>
#include <stamp/cpu/engine.hpp>

namespace stamp::test {
namespace {

using Ids = std::vector<std::int32_t>;

Ids draft(const Ids& ids, Index most) {
  const auto found = draft_from(ids, most);
  return {found.begin(), found.end()};
}

TEST(Draft, TakesWhatFollowedTheLastWordsBefore) {
  EXPECT_EQ(draft({1, 2, 3, 4, 5, 9, 1, 2, 3}, 2), (Ids{4, 5}));
  EXPECT_EQ(draft({1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3}, 1), (Ids{4})) << "three words before two";
  EXPECT_EQ(draft({8, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3}, 1), (Ids{5})) << "the latest place";
  EXPECT_EQ(draft({4, 4, 4, 4}, 3), (Ids{4})) << "a loop is found one step ahead";
  EXPECT_EQ(draft({1, 2, 3, 4}, 3), Ids{});
  EXPECT_EQ(draft({1, 2, 1}, 3), Ids{}) << "one word alone says nothing";
  EXPECT_EQ(draft({1, 2, 1, 2}, 0), Ids{});
  EXPECT_EQ(draft({}, 3), Ids{});
}

TEST(Draft, ContinuesTheFirstLikelyAnswerThatBeginsLikeThis) {
  const std::vector<Ids> answers{{1, 2, 3}, {1, 2, 4, 5, 6}, {1, 2, 4, 7}, {9}};
  const auto next = [&](const Ids& said, Index most) {
    const auto found = draft_from(answers, said, most);
    return Ids(found.begin(), found.end());
  };
  EXPECT_EQ(next({1}, 3), (Ids{2, 3}));
  EXPECT_EQ(next({1, 2, 4}, 1), Ids{5});
  EXPECT_EQ(next({1, 2, 4}, 9), (Ids{5, 6}));
  EXPECT_EQ(next({1, 2, 3}, 9), Ids{}) << "all of it is said";
  EXPECT_EQ(next({2}, 9), Ids{});
  EXPECT_EQ(next({}, 1), Ids{1});
  EXPECT_EQ(next({1}, 0), Ids{});
}

/// What a dialogue said, all scores that led to it, the mask of its last token, and its passes.
struct Spoken {
  Ids answer;
  std::vector<std::vector<float>> scores;
  std::vector<float> mask;
  Index passes = 0;
};

/// `surprise` of 0 is greedy; else every so many words the second best is said, and guesses fail.
Spoken answer(cpu::Compute compute, Index drafted, std::size_t surprise, Index words,
              std::vector<Ids> expected = {}) {
  cpu::Engine engine(2, compute);
  const qwen2_vl::Config config = tiny_config();
  Stamp<cpu::Engine> stamp(config);
  const RandomWeights weights(expected_tensors(stamp), 7);
  bind(engine, stamp, weights);
  Dialogue<cpu::Engine> dialogue(engine, stamp);
  dialogue.draft(drafted);
  dialogue.expect(std::move(expected));
  const qwen2_vl::PatchGrid grid{1, 4, 6};
  const auto drawn = random_numbers(grid.patches() * config.vision.patch_length(), 5);
  dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), {&grid, 1});
  Spoken run;
  run.answer = dialogue.generate(
      dialogue.read(tiny_prompt()), -1, words,
      [&](std::span<const float> scores, auto so_far) {
        run.scores.emplace_back(scores.begin(), scores.end());
        std::vector<float> left(scores.begin(), scores.end());
        const auto best = std::ranges::max_element(left);
        if (surprise != 0 && so_far.size() % surprise == 0) *best = -INFINITY;
        return static_cast<std::int32_t>(std::ranges::max_element(left) - left.begin());
      },
      [](std::int32_t) {});
  run.passes = dialogue.decode_passes();
  run.mask = dialogue.segment(static_cast<Index>(dialogue.tokens().size()) - 1, MaskPositions::text)
                 .values;
  EXPECT_EQ(dialogue.positions().size(), dialogue.tokens().size());
  return run;
}

class Drafting : public ::testing::TestWithParam<cpu::Compute> {};

TEST_P(Drafting, GivesTheSameBitsInFewerPasses) {
  if (const auto reason = why_not_on_cpu(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
  for (const std::size_t surprise : {std::size_t{0}, std::size_t{3}, std::size_t{7}}) {
    for (const Index words : {1, 2, 40}) {
      const Spoken plain = answer(GetParam(), 0, surprise, words);
      for (const Index drafted : {1, 2, 3}) {
        const Spoken quick = answer(GetParam(), drafted, surprise, words);
        EXPECT_EQ(plain.answer, quick.answer);
        EXPECT_EQ(plain.scores, quick.scores);
        EXPECT_EQ(plain.mask, quick.mask);
        EXPECT_LE(quick.passes, plain.passes);
        if (surprise == 0 && words == 40) {
          EXPECT_LT(quick.passes, plain.passes)
              << "greedy answers of random weights run in circles";
        }
      }
    }
  }
}

TEST_P(Drafting, ALikelyAnswerTakesFewPassesAndChangesNoBit) {
  if (const auto reason = why_not_on_cpu(GetParam()); !reason.empty()) GTEST_SKIP() << reason;

  const Spoken plain = answer(GetParam(), 0, 0, 21);
  EXPECT_EQ(plain.passes, 20);
  Ids other = plain.answer;  // right until the tenth word
  other[9] = other[9] == 1 ? 2 : 1;
  const Spoken expected = answer(GetParam(), 3, 0, 21, {{other[0], 49}, plain.answer});
  EXPECT_EQ(expected.answer, plain.answer);
  EXPECT_EQ(expected.scores, plain.scores);
  EXPECT_EQ(expected.mask, plain.mask);
  EXPECT_EQ(expected.passes, 1 + 5) << "one for the wrong guess, then four words a pass";
  const Spoken misled = answer(GetParam(), 3, 0, 21, {other});
  EXPECT_EQ(misled.answer, plain.answer);
  EXPECT_EQ(misled.scores, plain.scores);
  EXPECT_EQ(misled.mask, plain.mask);
}

INSTANTIATE_TEST_SUITE_P(Types, Drafting,
                         ::testing::Values(cpu::Compute::fp32, cpu::Compute::bf16,
                                           cpu::Compute::int8),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST(Drafting, IsForgottenWhenAnAnswerBreaksOff) {
  cpu::Engine engine(1, cpu::Compute::fp32);
  const qwen2_vl::Config config = tiny_config();
  Stamp<cpu::Engine> stamp(config);
  const RandomWeights weights(expected_tensors(stamp), 7);
  bind(engine, stamp, weights);
  const qwen2_vl::PatchGrid grid{1, 4, 6};
  const auto drawn = random_numbers(grid.patches() * config.vision.patch_length(), 5);
  const auto scores_after = [&](Index drafted) {
    Dialogue<cpu::Engine> dialogue(engine, stamp);
    dialogue.draft(drafted);
    dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), {&grid, 1});
    std::size_t said = 0;
    const Ids loop{11, 12, 13, 14,
                   11, 12, 13, 20};  // the guess behind 11 12 is 13 14 11: half right
    EXPECT_THROW((void)dialogue.generate(
                     dialogue.read(tiny_prompt()), -1, 8,
                     [&](auto, auto) {
                       if (said == 7) throw std::runtime_error("enough");
                       return loop[said++];
                     },
                     [](std::int32_t) {}),
                 std::runtime_error);
    EXPECT_EQ(dialogue.tokens().size(), tiny_prompt().size() + 7);
    const Ids more{30, 31};
    return dialogue.read(more);
  };
  EXPECT_EQ(scores_after(0), scores_after(3));
}

}  // namespace
}  // namespace stamp::test
