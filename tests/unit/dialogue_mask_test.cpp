// SPDX-License-Identifier: Apache-2.0
// The mask pass: the cached pass is the paper's uncached one, objects in one pass do not see each
// other, and what must make a difference makes one.
#include <gtest/gtest.h>

#include <parity/objects_apart.hpp>

namespace {

using namespace stamp;
using namespace stamp::test;
constexpr double close_in_double = 1e-12;
constexpr double close_in_float = 1e-5;
constexpr double apart = 1e-3;  // differences that a wrong rule makes are far larger

using Tiny = TinyDialogue<double>;
const std::vector<std::int32_t> answer{11, token::seg, 12, 13, token::seg, 14, token::im_end};

/// Phase 2 as the paper writes it: ONE pass without a cache over [history | masks].
template <class Where, MaskPolicy Mask>
std::vector<double> uncached(Tiny& tiny, Index object, Mask mask) {
  auto& engine = tiny.engine;
  const auto frame = engine.frame();
  const auto& stamp = tiny.stamp;
  auto features = engine.keep(Tokens{6}, Hidden{48});
  stamp.visual(engine, features.view(), tiny.pixels(), tiny.grids());

  std::vector<std::int32_t> ids(tiny.dialogue.tokens().begin(), tiny.dialogue.tokens().end());
  ids.resize(static_cast<std::size_t>(object) + 1);
  auto positions = qwen2_vl::rope_positions(ids, tiny.grids(), stamp.config.tokens, 2);
  const Index base = positions.back().t + 1;
  const auto history = static_cast<Index>(ids.size());
  ids.insert(ids.end(), 6, token::mask);
  for (Index cell = 0; cell < 6; ++cell) positions.push_back(Where::at(base, cell, 3));

  auto x = stamp.model.embed_tokens(engine, ids);
  copy(engine, rows(x, 3, 6), std::as_const(features).view());  // the image tokens
  add(engine, rows(x, history, 6), std::as_const(features).view());
  auto cache = stamp.model.empty_cache();
  cache.reserve(engine, history + 6);
  stamp.model(engine, x, text_rotary(engine, positions, stamp.config.text), cache, 0, mask);
  const auto normal = stamp.model.norm(engine, rows(x, history, 6));
  std::vector<double> logits(6);
  engine.download(std::span(logits), stamp.classifier(engine, normal));
  return logits;
}

TEST(MaskPass, OverTheCacheEqualsOneUncachedPassWithTheHybridMask) {
  Tiny tiny;
  tiny.say(answer);
  for (const Index object : tiny.objects()) {
    const HybridMask hybrid{object + 1, 6};
    const auto text = tiny.dialogue.segment(object, MaskPositions::text);
    EXPECT_LE(difference(uncached<TextPositions>(tiny, object, hybrid), text.values),
              close_in_double);
    const auto grid = tiny.dialogue.segment(object, MaskPositions::grid);
    EXPECT_LE(difference(uncached<GridPositions>(tiny, object, hybrid), grid.values),
              close_in_double);
    EXPECT_EQ(text.token, object);
    EXPECT_EQ(text.rows, 2);
    EXPECT_EQ(text.columns, 3);
  }
}

TEST(MaskPass, CausalMaskTokensAreAnotherModel) {
  Tiny tiny;
  tiny.say(answer);
  const Index object = tiny.objects()[0];
  const auto hybrid = tiny.dialogue.segment(object, MaskPositions::text).values;
  const auto causal = uncached<TextPositions>(tiny, object, Causal{0});
  EXPECT_GE(difference(hybrid, causal), apart);
}

TEST(MaskPass, GridAndTextPositionsAreNotTheSame) {
  Tiny tiny;
  tiny.say(answer);
  const Index object = tiny.objects()[0];
  EXPECT_GE(difference(tiny.dialogue.segment(object, MaskPositions::text).values,
                       tiny.dialogue.segment(object, MaskPositions::grid).values),
            apart);
}

TEST(MaskPass, EveryObjectHasAMaskOfItsOwn) {
  Tiny tiny;
  tiny.say(answer);
  const auto masks = tiny.dialogue.segment(tiny.objects(), MaskPositions::text);
  ASSERT_EQ(masks.size(), 2U);
  EXPECT_GE(difference(masks[0].values, masks[1].values), apart);
  EXPECT_TRUE(tiny.dialogue.segment(std::span<const Index>(), MaskPositions::text).empty());
}

template <Element T>
void expect_batched_as_single(double tolerance) {
  for (const auto where : {MaskPositions::text, MaskPositions::grid}) {
    TinyDialogue<T> tiny;
    tiny.say({token::seg, 11, token::seg, 12, 13, token::seg, token::im_end});
    const auto objects = tiny.objects();
    const auto together = tiny.dialogue.segment(objects, where);
    for (std::size_t at = 0; at < objects.size(); ++at) {
      const auto alone = tiny.dialogue.segment(objects[at], where);
      EXPECT_LE(difference(alone.values, together[at].values), tolerance) << "object " << at;
      EXPECT_EQ(together[at].token, objects[at]);
    }
  }
}

TEST(MaskPass, SeveralObjectsInOnePassEqualOnePassEachInDouble) {
  expect_batched_as_single<double>(close_in_double);
}
TEST(MaskPass, SeveralObjectsInOnePassEqualOnePassEachInFloat) {
  expect_batched_as_single<float>(close_in_float);
}

TEST(MaskPass, ObjectsInOnePassDoNotSeeEachOther) {
  reference::Engine<double> engine(2);
  expect_objects_apart(engine, tiny_config(), {1, 4, 6});
}

TEST(MaskPass, ASegThatIsTheLastTokenBeforeTheLimitWorks) {
  Tiny cut;
  cut.say({11, 12, token::seg});  // the limit ends the answer here
  Tiny longer;
  longer.say({11, 12, token::seg, 13, token::im_end});
  const Index object = cut.objects()[0];
  ASSERT_EQ(object, static_cast<Index>(cut.dialogue.tokens().size()) - 1);
  EXPECT_LE(difference(cut.dialogue.segment(object, MaskPositions::text).values,
                       longer.dialogue.segment(object, MaskPositions::text).values),
            close_in_double);
  EXPECT_EQ(cut.dialogue.tokens().size(), tiny_prompt().size() + 3);
}

TEST(MaskPass, ASegInThePromptWorks) {
  Tiny tiny;
  auto ids = tiny_prompt();
  ids.push_back(token::seg);
  ids.push_back(9);
  (void)tiny.dialogue.read(ids);
  const Index object = tiny.objects()[0];
  EXPECT_LE(difference(uncached<TextPositions>(tiny, object, HybridMask{object + 1, 6}),
                       tiny.dialogue.segment(object, MaskPositions::text).values),
            close_in_double);
}

TEST(MaskPass, TheHistoryEndsWithTheSegItself) {
  Tiny tiny;
  tiny.say(answer);
  const Index object = tiny.objects()[1];
  const auto found = tiny.dialogue.segment(object, MaskPositions::text).values;
  Tiny other_seg;  // another word in the place of <|seg|>, all else equal
  auto changed = answer;
  changed[4] = 30;
  other_seg.say(changed);
  EXPECT_GE(difference(found, other_seg.dialogue.segment(object, MaskPositions::text).values),
            apart)
      << "the <|seg|> token is part of what masks see";
  Tiny other_later;
  changed = answer;
  changed[5] = 30;
  other_later.say(changed);
  EXPECT_EQ(found, other_later.dialogue.segment(object, MaskPositions::text).values)
      << "what was said later is not";
}

}  // namespace
