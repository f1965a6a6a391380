// SPDX-License-Identifier: Apache-2.0
// M-RoPE positions and rotary tables, against values checked with the published code.
#include <gtest/gtest.h>

#include <stamp/model/qwen2_vl/positions.hpp>
#include <stamp/model/stamp/mask_positions.hpp>
#include <stamp/reference/engine.hpp>

namespace {

using namespace stamp;
using namespace stamp::qwen2_vl;

constexpr std::int32_t start = 90;
constexpr std::int32_t pad = 91;
constexpr std::int32_t end = 92;
constexpr TokenIds ids{.vision_start = start, .vision_end = end, .image_pad = pad};

std::string sentence_of(std::vector<std::int32_t> prompt, std::vector<PatchGrid> grids) {
  try {
    (void)rope_positions(prompt, grids, ids, 2);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::input);
    return error.what();
  }
  return "no error";
}

void expect_axes(const std::vector<Position>& found, const std::vector<Index>& t,
                 const std::vector<Index>& h, const std::vector<Index>& w) {
  ASSERT_EQ(found.size(), t.size());
  for (std::size_t at = 0; at < t.size(); ++at) {
    EXPECT_EQ(found[at], (Position{t[at], h[at], w[at]})) << "token " << at;
  }
}

TEST(Positions, TheCheckedExample) {
  // Three text tokens, an image of 2 × 3 merged cells, text.
  const std::vector<std::int32_t> prompt{1, 2, start, pad, pad, pad, pad, pad, pad, end, 3};
  const std::vector<PatchGrid> grids{{1, 4, 6}};
  expect_axes(rope_positions(prompt, grids, ids, 2), {0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7},
              {0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7}, {0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7});
}

TEST(Positions, TwoImagesAndALaterStart) {
  const std::vector<std::int32_t> prompt{start, pad, pad, end, start, pad, pad, pad, pad, end, 5};
  const std::vector<PatchGrid> grids{{1, 4, 2}, {1, 4, 4}};  // 2 × 1 and 2 × 2 cells
  expect_axes(
      rope_positions(prompt, grids, ids, 2, 10), {10, 11, 11, 13, 14, 15, 15, 15, 15, 17, 18},
      {10, 11, 12, 13, 14, 15, 15, 16, 16, 17, 18}, {10, 11, 11, 13, 14, 15, 16, 15, 16, 17, 18});
}

TEST(Positions, FramesCountOnTheTimeAxis) {
  const std::vector<std::int32_t> prompt{start, pad, pad, pad, pad, pad, pad, 4};
  const std::vector<PatchGrid> grids{{3, 2, 4}};  // 3 frames of 1 × 2 cells
  expect_axes(rope_positions(prompt, grids, ids, 2), {0, 1, 1, 2, 2, 3, 3, 4},
              {0, 1, 1, 1, 1, 1, 1, 4}, {0, 1, 2, 1, 2, 1, 2, 4});
}

TEST(Positions, ImageTokensThatAreNotAnnouncedAreText) {
  const std::vector<std::int32_t> prompt{1, pad, pad, 2};
  expect_axes(rope_positions(prompt, {}, ids, 2), {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3});
}

TEST(Positions, ImagesAndTokensThatDisagreeAreRefused) {
  EXPECT_EQ(sentence_of({start, pad, pad, end}, {}),
            "prompt: expected 0 images, found another at token 1");
  EXPECT_EQ(sentence_of({1, 2}, {{1, 2, 2}}), "prompt: expected 1 images, found tokens of 0");
  EXPECT_EQ(sentence_of({start, pad, pad, end}, {{1, 4, 4}}),
            "prompt: expected 4 image tokens from token 1 on, found fewer");
  EXPECT_EQ(sentence_of({start, pad, pad, 7, pad, pad}, {{1, 4, 4}}),
            "prompt: expected 4 image tokens from token 1 on, found fewer");
  EXPECT_EQ(sentence_of({start, pad, start, pad}, {{1, 2, 2}}),
            "prompt: expected 1 images, found another at token 3");
}

TEST(Positions, MaskTokensStandLikeTextOrLikeTheImage) {
  EXPECT_EQ(TextPositions::at(20, 7, 3), (Position{27, 27, 27}));
  EXPECT_EQ(GridPositions::at(20, 7, 3), (Position{20, 22, 21}));
}

TEST(Rotary, EachPairFollowsItsAxis) {
  reference::Engine<double> engine(1);
  const auto frame = engine.frame();
  TextConfig config;
  config.hidden_size = 16;
  config.num_attention_heads = 1;
  config.rope_theta = 100;
  config.mrope_section = {2, 3, 3};
  const std::vector<Position> positions{{1, 2, 3}, {0, 0, 0}};
  const auto at = text_rotary(engine, positions, config);
  ASSERT_EQ(at.cosine.axis<Pairs>().size, 8);
  const Index axis_of[] = {1, 1, 2, 2, 2, 3, 3, 3};  // the position whose turn it is
  for (Index j = 0; j < 8; ++j) {
    const double angle =
        static_cast<double>(axis_of[j]) * std::pow(100.0, -static_cast<double>(2 * j) / 16);
    EXPECT_NEAR(at.cosine[0][j], std::cos(angle), 1e-15);
    EXPECT_NEAR(at.sine[0][j], std::sin(angle), 1e-15);
    EXPECT_EQ(at.cosine[1][j], 1.0);
    EXPECT_EQ(at.sine[1][j], 0.0);
  }
}

TEST(Rotary, TheLanguageModelRoundsCosineAndSineToTheElementTheVisionTowerDoesNot) {
  reference::Engine<bfloat16> engine(1);
  const auto frame = engine.frame();
  TextConfig config;
  config.hidden_size = 4;
  config.num_attention_heads = 1;
  config.mrope_section = {1, 1, 0};
  const std::vector<Position> positions{{1, 1, 1}};
  const auto text = text_rotary(engine, positions, config);
  EXPECT_EQ(text.cosine[0][0], static_cast<float>(bfloat16(std::cos(1.0F))));
  VisionConfig vision;
  vision.embed_dim = 4;
  vision.num_heads = 1;
  const std::vector<PatchGrid> grids{{1, 2, 2}};
  const auto at = vision_rotary(engine, grids, vision);
  EXPECT_EQ(at.cosine[3][0], std::cos(1.0F));
}

TEST(PatchGrid, PatchesComeInMergeGroupsAndTurnWithRowThenColumn) {
  reference::Engine<double> engine(1);
  const auto frame = engine.frame();
  const PatchGrid grid{1, 4, 6};
  std::vector<std::pair<Index, Index>> visited;
  for_each_patch(grid, 2, [&](Index row, Index column) { visited.emplace_back(row, column); });
  ASSERT_EQ(visited.size(), 24U);
  const std::vector<std::pair<Index, Index>> first{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}};
  EXPECT_TRUE(std::equal(first.begin(), first.end(), visited.begin()));
  EXPECT_EQ(visited[12], (std::pair<Index, Index>{2, 0})) << "the second row of groups";

  VisionConfig config;
  config.embed_dim = 8;
  config.num_heads = 1;
  const auto at = vision_rotary(engine, std::span(&grid, 1), config);
  for (std::size_t patch = 0; patch < visited.size(); ++patch) {
    const auto [row, column] = visited[patch];
    for (Index j = 0; j < 2; ++j) {
      const double frequency = std::pow(10000.0, -static_cast<double>(2 * j) / 4);
      const auto angles = at.sine[static_cast<Index>(patch)];
      EXPECT_NEAR(angles[j], std::sin(static_cast<double>(row) * frequency), 1e-15);
      EXPECT_NEAR(angles[j + 2], std::sin(static_cast<double>(column) * frequency), 1e-15);
    }
  }
}

TEST(PatchGrid, BoundariesCountFrames) {
  const std::vector<PatchGrid> grids{{1, 2, 4}, {2, 2, 2}};
  EXPECT_EQ(frame_boundaries(grids), (std::vector<std::int32_t>{0, 8, 12, 16}));
  EXPECT_EQ(count_patches(grids), 16);
}

}  // namespace
