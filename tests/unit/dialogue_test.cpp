// SPDX-License-Identifier: Apache-2.0
// Phase 1, and that phase 2 leaves it alone: properties that hold for any weights.
#include <gtest/gtest.h>

#include <parity/tiny_dialogue.hpp>
#include <stamp/observe/recorder.hpp>
#include <unit/whole_row_sampling.hpp>

namespace {

using namespace stamp;
using namespace stamp::test;
constexpr double close_in_double = 1e-12;

using Tiny = TinyDialogue<double>;

template <class Action>
std::string sentence_of(Fault fault, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Dialogue, APromptReadInTwoPiecesGivesTheSameScores) {
  Tiny whole;
  const auto at_once = whole.dialogue.read(tiny_prompt());
  const auto prompt = tiny_prompt();
  for (const std::size_t cut : {std::size_t{9}, prompt.size() - 1}) {  // behind the image
    Tiny pieces;
    (void)pieces.dialogue.read(std::span(prompt).first(cut));
    const auto in_two = pieces.dialogue.read(std::span(prompt).subspan(cut));
    EXPECT_LE(difference(at_once, in_two), close_in_double);
    EXPECT_TRUE(std::ranges::equal(whole.dialogue.positions(), pieces.dialogue.positions()));
    EXPECT_TRUE(std::ranges::equal(whole.dialogue.tokens(), pieces.dialogue.tokens()));
  }
}

TEST(Dialogue, ScoresOfAnyTokenAreThoseOfTheShorterPrompt) {
  const auto prompt = tiny_prompt();
  Tiny whole;
  const auto inside = whole.dialogue.read(prompt, 11);
  Tiny shorter;
  const auto last = shorter.dialogue.read(std::span(prompt).first(12));
  EXPECT_LE(difference(inside, last), close_in_double) << "a later token was seen";
}

TEST(Dialogue, GenerationReadsWhatItSays) {
  const std::vector<std::int32_t> answer{11, 12, 13};
  Tiny spoken;
  std::vector<std::vector<double>> seen;
  std::size_t said = 0;
  std::vector<std::int32_t> heard;
  const auto result = spoken.dialogue.generate(
      spoken.dialogue.read(tiny_prompt()), token::im_end, 3,
      [&](auto scores, auto so_far) {
        seen.emplace_back(scores.begin(), scores.end());
        EXPECT_EQ(so_far.size(), tiny_prompt().size() + said);
        return answer[said++];
      },
      [&](std::int32_t id) { heard.push_back(id); });
  EXPECT_EQ(result, answer);
  EXPECT_EQ(heard, answer);
  for (std::size_t length = 0; length < 3; ++length) {
    auto ids = tiny_prompt();
    ids.insert(ids.end(), answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(length));
    Tiny read;
    EXPECT_LE(difference(read.dialogue.read(ids), seen[length]), close_in_double) << length;
  }
}

TEST(Dialogue, GenerationStopsAtTheStopTokenOrTheLimit) {
  const auto generate = [](std::int32_t picked, Index limit) {
    Tiny tiny;
    return tiny.dialogue
        .generate(
            tiny.dialogue.read(tiny_prompt()), token::im_end, limit,
            [&](auto, auto) { return picked; }, [](std::int32_t) {})
        .size();
  };
  EXPECT_EQ(generate(token::im_end, 5), 1U);
  EXPECT_EQ(generate(11, 5), 5U);
  EXPECT_EQ(generate(11, 0), 0U);
}

TEST(Dialogue, GreedyAnswersAreThoseOfAPickThatFindsTheLargest) {
  for (const Index drafted : {0, 3}) {
    Tiny picked;
    const auto expected = picked.dialogue.generate(
        picked.dialogue.read(tiny_prompt()), -1, 24,
        [](std::span<const double> scores, auto) {
          return static_cast<std::int32_t>(std::ranges::max_element(scores) - scores.begin());
        },
        [](std::int32_t) {});
    Tiny greedy;
    greedy.dialogue.draft(drafted);
    std::vector<std::int32_t> heard;
    const auto found = greedy.dialogue.generate_greedily(
        greedy.dialogue.read(tiny_prompt()), -1, 24, [&](std::int32_t id) { heard.push_back(id); });
    EXPECT_EQ(found, expected) << drafted;
    EXPECT_EQ(heard, expected) << drafted;
    const std::vector<std::int32_t> next{21};
    EXPECT_LE(difference(greedy.dialogue.read(next), picked.dialogue.read(next)), close_in_double);
  }
}

TEST(Dialogue, GreedyAnswersNeedNumbers) {
  Tiny tiny;
  auto scores = tiny.dialogue.read(tiny_prompt());
  scores[3] = std::nan("");
  EXPECT_EQ(sentence_of(
                Fault::failure,
                [&] { (void)tiny.dialogue.generate_greedily(scores, -1, 4, [](std::int32_t) {}); }),
            "logits: expected numbers, some above -inf, found others");
}

TEST(Dialogue, AnswersChosenAmongTheKeptAreThoseOfAPickAmongAllScores) {
  using Lists = std::vector<std::vector<Scored>>;  // what a word was chosen among, the third of it
  const auto choose = [](Lists& lists, std::span<const Scored> kept) {
    lists.emplace_back(kept.begin(), kept.end());
    return kept[kept.size() / 3].token;
  };
  for (const Index k : {0, 1, 3, 50}) {
    for (const float penalty : {1.0F, 1.3F}) {
      const TopK how{.k = k, .temperature = 0.6F, .repetition_penalty = penalty};
      const text::Sampling settings{.choice = text::Choice::sample,
                                    .temperature = 0.6F,
                                    .top_k = k,
                                    .repetition_penalty = penalty};
      Tiny picked;
      Lists expected_lists;
      const auto expected = picked.dialogue.generate(
          picked.dialogue.read(tiny_prompt()), -1, 24,
          [&](std::span<const double> scores, auto history) {
            std::vector<float> row(scores.begin(), scores.end());
            process_whole_row(row, history, settings);
            std::vector<Scored> kept;
            for (std::size_t at = 0; at < row.size(); ++at) {
              if (row[at] > removed) kept.push_back({row[at], static_cast<std::int32_t>(at)});
            }
            return choose(expected_lists, kept);
          },
          [](std::int32_t) {});
      for (const Index drafted : {0, 3}) {
        Tiny tiny;
        tiny.dialogue.draft(drafted);
        tiny.dialogue.expect({expected});  // guesses that are right, of words not said before
        Lists lists;
        std::vector<std::int32_t> heard;
        const auto found = tiny.dialogue.generate_among(
            tiny.dialogue.read(tiny_prompt()), how, -1, 24,
            [&](std::span<const Scored> kept) { return choose(lists, kept); },
            [&](std::int32_t id) { heard.push_back(id); });
        EXPECT_EQ(found, expected) << "k " << k << ", penalty " << penalty << ", " << drafted;
        EXPECT_EQ(heard, expected);
        EXPECT_TRUE(lists == expected_lists) << k << ", penalty " << penalty << ", " << drafted;
        if (drafted > 0) {
          EXPECT_LT(tiny.dialogue.decode_passes(), 10) << "guesses were wrong";
        }
      }
    }
  }
}

TEST(Dialogue, RewindingLeavesNoTrace) {
  const std::vector<std::int32_t> question{21, 22, 23};
  Tiny straight;
  straight.say({11, token::seg, 12});
  const auto expected = straight.dialogue.read(question);
  const auto mask = straight.dialogue.segment(straight.objects()[0], MaskPositions::text).values;

  Tiny back;
  back.say({11, token::seg, 12});  // the last word is remembered and has not run
  const auto mark = back.dialogue.mark();
  (void)back.dialogue.generate_greedily(back.dialogue.read(std::vector<std::int32_t>{31, 32}), -1,
                                        5, [](std::int32_t) {});
  back.dialogue.rewind(mark);
  EXPECT_EQ(back.dialogue.read(question), expected) << "bit for bit";
  EXPECT_EQ(back.dialogue.segment(back.objects()[0], MaskPositions::text).values, mask);
  EXPECT_TRUE(std::ranges::equal(back.dialogue.tokens(), straight.dialogue.tokens()));
  EXPECT_TRUE(std::ranges::equal(back.dialogue.positions(), straight.dialogue.positions()));
}

TEST(Dialogue, RewindingForgetsImages) {
  Tiny tiny;
  const auto unread = tiny.dialogue.mark();
  const auto expected = tiny.dialogue.read(tiny_prompt());
  tiny.dialogue.rewind(unread);
  EXPECT_EQ(tiny.dialogue.read(tiny_prompt()), expected) << "the image is there to be read again";

  const auto read = tiny.dialogue.mark();
  tiny.dialogue.look(tiny.pixels(), tiny.grids());
  tiny.dialogue.rewind(read);
  EXPECT_EQ(sentence_of(Fault::usage, [&] { (void)tiny.dialogue.segment(3, MaskPositions::text); }),
            "segment: expected an image in the dialogue, found none");
}

TEST(Dialogue, AMaskPassLeavesItUndisturbed) {
  const std::vector<std::int32_t> next{21, 22, 23};
  const auto continued = [&](bool with_masks, bool grow) {
    Tiny tiny;
    tiny.say({11, token::seg, 12, token::seg, token::im_end});
    if (with_masks) {
      const auto objects = tiny.objects();
      (void)tiny.dialogue.segment(objects, MaskPositions::text);
      (void)tiny.dialogue.segment(objects[0], MaskPositions::grid);
      if (grow) {
        (void)tiny.dialogue.segment(std::vector<Index>(20, objects[0]), MaskPositions::text);
      }
    }
    auto scores = tiny.dialogue.read(next);
    EXPECT_EQ(tiny.dialogue.tokens().size(), tiny_prompt().size() + 5 + 3);
    return scores;
  };
  const auto without = continued(false, false);
  EXPECT_EQ(without, continued(true, false)) << "bit for bit";
  EXPECT_EQ(without, continued(true, true)) << "bit for bit, through a growing cache";
}

TEST(Dialogue, ASecondImageContinuesThePositionsAndTakesTheMasks) {
  Tiny tiny;
  tiny.say({11, token::seg, token::im_end});
  const qwen2_vl::PatchGrid second{1, 6, 2};
  const auto drawn = random_numbers(second.patches() * tiny.stamp.config.vision.patch_length(), 9);
  tiny.dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), std::span(&second, 1));
  const Index base = tiny.dialogue.positions().back().t + 1;
  auto ids = tiny_prompt(3);
  ids.push_back(token::seg);
  (void)tiny.dialogue.read(ids);
  const auto positions = tiny.dialogue.positions();
  EXPECT_EQ(positions[tiny_prompt().size() + 3], (qwen2_vl::Position{base, base, base}));
  const auto mask = tiny.dialogue.segment(tiny.objects().back(), MaskPositions::text);
  EXPECT_EQ(mask.rows, 3);
  EXPECT_EQ(mask.columns, 1);
  EXPECT_EQ(mask.values.size(), 3U);
}

TEST(Dialogue, MistakesAreNamed) {
  Tiny tiny;
  EXPECT_EQ(sentence_of(Fault::input, [&] { (void)tiny.dialogue.read({}, 0); }),
            "prompt: expected 1 images, found tokens of 0");
  EXPECT_EQ(sentence_of(Fault::input,
                        [&] {
                          auto ids = tiny_prompt();
                          ids.insert(ids.begin(), token::image_pad);
                          (void)tiny.dialogue.read(ids);
                        }),
            "prompt: expected 6 image tokens, found more");
  (void)tiny.dialogue.read(tiny_prompt());
  EXPECT_EQ(sentence_of(Fault::usage, [&] { (void)tiny.dialogue.read({}, 0); }),
            "read: expected at least one token, found none");
  EXPECT_EQ(
      sentence_of(Fault::usage, [&] { (void)tiny.dialogue.read(std::vector<std::int32_t>{1}, 1); }),
      "read: expected scores of a token below 1, found 1");
  EXPECT_EQ(sentence_of(Fault::usage, [&] { tiny.dialogue.look({}, {}); }),
            "look: expected at least one image, found none");
  EXPECT_EQ(
      sentence_of(Fault::usage, [&] { (void)tiny.dialogue.segment(14, MaskPositions::text); }),
      "segment: expected a token below 14, found 14");
  EXPECT_EQ(
      sentence_of(Fault::usage, [&] { (void)tiny.dialogue.segment(-1, MaskPositions::text); }),
      "segment: expected a token below 14, found -1");
  Dialogue<Tiny::Engine> blind(tiny.engine, tiny.stamp);
  (void)blind.read(std::vector<std::int32_t>{1, token::seg});
  EXPECT_EQ(sentence_of(Fault::usage, [&] { (void)blind.segment(1, MaskPositions::text); }),
            "segment: expected an image in the dialogue, found none");
}

TEST(Dialogue, ScratchDoesNotGrowAfterTheFirstPassOfASize) {
  TinyDialogue<float> tiny;
  tiny.say({11, token::seg, 12, token::seg, token::im_end});
  const auto objects = tiny.objects();
  const auto everything = [&] {
    tiny.dialogue.look(tiny.pixels(), tiny.grids());
    (void)tiny.dialogue.read(tiny_prompt());
    (void)tiny.dialogue.segment(objects, MaskPositions::text);
    (void)tiny.dialogue.segment(objects[1], MaskPositions::grid);
  };
  everything();
  const std::size_t warm = tiny.engine.arena().capacity();
  for (int round = 0; round < 5; ++round) everything();
  EXPECT_EQ(tiny.engine.arena().capacity(), warm);
}

TEST(Dialogue, TapsNameEveryActivationOfTheContract) {
  Tiny tiny;
  Recording<double> recording;
  const Recorder<double> recorder(&recording);
  tiny.dialogue.look(tiny.pixels(), tiny.grids(), recorder);
  auto ids = tiny_prompt();
  ids.push_back(token::seg);
  (void)tiny.dialogue.read(ids, 14, recorder);
  (void)tiny.dialogue.segment(14, MaskPositions::text, recorder.within("mask"));
  const std::vector<std::string> expected{
      "language.embeddings", "language.layers.0", "language.layers.1", "language.layers.2",
      "language.logits",     "language.norm",     "mask.embeddings",   "mask.layers.0",
      "mask.layers.1",       "mask.layers.2",     "mask.norm",         "vision.blocks.0",
      "vision.blocks.1",     "vision.merger",     "vision.patch_embed"};
  std::vector<std::string> found;
  for (const auto& [name, activation] : recording) found.push_back(name);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(recording.at("mask.norm").shape, (std::vector<Index>{6, 48}));
  EXPECT_EQ(recording.at("vision.patch_embed").shape, (std::vector<Index>{24, 16}));
}

}  // namespace
