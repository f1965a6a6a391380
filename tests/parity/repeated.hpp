// SPDX-License-Identifier: Apache-2.0
// The same input gives the same bits: on every run, whatever the number of objects in a pass, on
// every engine of a process.
#pragma once

#include <array>
#include <parity/golden_cases.hpp>
#include <span>
#include <stamp/session/picture_steps.hpp>
#include <vector>

namespace stamp::test {

inline constexpr Index words_of_three = 6;

/// Of a mask that an engine made at its picture's size: its logits, pixels and foreground.
struct ToldPicture {
  std::vector<double> logits;
  std::vector<std::uint8_t> pixels;
  Index area = 0;
  double probability = 0;
  bool operator==(const ToldPicture&) const = default;
};

/// What a dialogue about three objects tells: scores of the next word, a greedy answer, masks of
/// one, two and three objects a pass, and their pictures where the engine makes them.
struct ThreeObjects {
  std::vector<double> scores;
  std::vector<std::int32_t> answer;
  std::array<std::vector<std::vector<double>>, 3> masks;  ///< [objects a pass - 1][object]
  std::array<std::vector<ToldPicture>, 3> pictures;
  bool operator==(const ThreeObjects&) const = default;
};

/// Three times as wide and high as the grid, and something more.
[[nodiscard]] inline MaskReadout picture_of(const qwen2_vl::PatchGrid& grid, Index merge) {
  const Index rows = grid.h / merge;
  const Index columns = grid.w / merge;
  return mask_readout(rows, columns, 3 * columns + 1, 3 * rows + 2, Upsample::bilinear, 0.5F);
}

/// A golden of three objects; its answer is told, then continued.
template <Backend B>
[[nodiscard]] ThreeObjects tell_of_three(B& engine, const Stamp<B>& stamp,
                                         const ReplayInput& input) {
  Dialogue<B> dialogue(engine, stamp);
  dialogue.look(input.pixel_values, input.grids);
  ThreeObjects told;
  const auto scores = dialogue.read(input.ids);
  told.scores.assign(scores.begin(), scores.end());
  std::vector<Index> objects;
  for (Index token = 0; token < std::ssize(input.ids); ++token) {
    if (input.ids[static_cast<std::size_t>(token)] == stamp.config.tokens.seg) {
      objects.push_back(token);
    }
  }
  EXPECT_EQ(objects.size(), 3U);
  for (std::size_t count = 1; count <= objects.size(); ++count) {
    for (std::size_t first = 0; first < objects.size(); first += count) {
      const auto some =
          std::span(objects).subspan(first).first(std::min(count, objects.size() - first));
      for (const auto& mask : dialogue.segment(some, input.mask_positions)) {
        told.masks[count - 1].emplace_back(mask.values.begin(), mask.values.end());
      }
      if constexpr (requirement::HasMaskHead<B>) {
        const auto readout = picture_of(*dialogue.image(), stamp.config.vision.spatial_merge_size);
        for (auto& made : dialogue.segment(some, input.mask_positions, readout)) {
          const auto& values = made.logits.values;
          told.pictures[count - 1].push_back({{values.begin(), values.end()},
                                              std::move(made.pixels),
                                              made.foreground.area,
                                              made.foreground.probability});
        }
      }
    }
  }
  told.answer = dialogue.generate_greedily(scores, -1, words_of_three, [](std::int32_t) {});
  return told;
}

/// `runs` times on an engine, and now and then on another one in between.
template <class B, class... EngineArguments>
void expect_the_same_bits(int runs, EngineArguments... arguments) {
  const auto input =
      read_exported_run(activations_of("activations/untied-gqa-several.safetensors")).input;
  auto one = load<B>(goldens / "models/untied-gqa", {}, arguments...);
  auto other = load<B>(goldens / "models/untied-gqa", {}, arguments...);
  const ThreeObjects expected = tell_of_three(one.engine(), one.stamp(), input);
  EXPECT_EQ(std::ssize(expected.answer), words_of_three);
  for (const auto& masks : expected.masks) EXPECT_EQ(masks.size(), 3U);
  for (const auto& pictures : expected.pictures) {
    EXPECT_EQ(pictures.size(), requirement::HasMaskHead<B> ? 3U : 0U);
    for (const ToldPicture& picture : pictures) EXPECT_FALSE(picture.pixels.empty());
  }
  for (int run = 1; run < runs; ++run) {
    ASSERT_TRUE(tell_of_three(one.engine(), one.stamp(), input) == expected) << "run " << run;
    if (run % 8 != 1) continue;
    ASSERT_TRUE(tell_of_three(other.engine(), other.stamp(), input) == expected)
        << "the other engine, after run " << run;
  }
}

}  // namespace stamp::test
