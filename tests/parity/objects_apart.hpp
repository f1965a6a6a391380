// SPDX-License-Identifier: Apache-2.0
// Objects that share a mask pass do not see each other: whatever changes about one of them, the
// others' logits stay the same, bit for bit, through the whole language model.
#pragma once

#include <gtest/gtest.h>

#include <parity/tiny_dialogue.hpp>
#include <vector>

namespace stamp::test {

/// A model of random weights that has read a picture, a question and an answer: mask passes of
/// three objects over its cache, each with requests of its own.
template <Backend B>
class SharedMaskPass {
 public:
  using Number = typename B::Number;
  static constexpr Index objects = 3;

  SharedMaskPass(B& engine, const qwen2_vl::Config& config, const qwen2_vl::PatchGrid& grid)
      : engine_(engine), stamp_(config), grid_(grid), frame_(engine.frame()) {
    bind(engine_, stamp_, weights_);
    auto ids = tiny_prompt(cells_);
    ids.insert(ids.end(), {11, token::seg, 12, 13, token::seg, 14, token::im_end, 15});
    length_ = std::ssize(ids);
    const std::span<const qwen2_vl::PatchGrid> grids(&grid_, 1);
    const auto drawn = random_numbers(grid.patches() * config.vision.patch_length(), 5);
    const std::vector<float> pixels(drawn.begin(), drawn.end());
    stamp_.visual(engine_, features_.view(), std::span<const float>(pixels), grids);
    cache_.reserve(engine_, room_for(engine_, length_ + objects * cells_));
    auto x = stamp_.model.embed_tokens(engine_, ids);
    copy(engine_, rows(x, 3, cells_), std::as_const(features_).view());
    const auto positions = qwen2_vl::rope_positions(ids, grids, config.tokens, merge());
    stamp_.model(engine_, x, text_rotary(engine_, positions, config.text), cache_, 0, Causal{0});
    cache_.advance(length_);
  }

  /// Three histories, none of them the longest in its place.
  [[nodiscard]] std::vector<MaskRequest> requests() const {
    return {{length_ - 12, length_ - 13}, {length_ - 6, length_ - 7}, {length_ - 9, length_ - 10}};
  }
  /// Far shorter, and at other positions.
  [[nodiscard]] std::vector<MaskRequest> others() const {
    return {{5, length_ - 13}, {length_ - 6, length_ + 77}};
  }

  /// Logits, an object each.
  [[nodiscard]] std::vector<std::vector<Number>> logits(const std::vector<MaskRequest>& requests) {
    std::vector<std::vector<Number>> each;
    mask_pass<TextPositions>(engine_, stamp_, cache_, steps_, turns_, requests,
                             std::as_const(features_).view(), grid_.w / merge(), NoTap(),
                             [&](auto h) {
                               const auto all = mask_logits(engine_, stamp_, h);
                               for (auto first = all.begin(); first != all.end(); first += cells_) {
                                 each.emplace_back(first, first + cells_);
                               }
                             });
    return each;
  }

 private:
  [[nodiscard]] Index merge() const { return stamp_.config.vision.spatial_merge_size; }

  B& engine_;
  Stamp<B> stamp_;
  RandomWeights weights_{expected_tensors(stamp_), 7};  // embedding rows are read from here
  qwen2_vl::PatchGrid grid_;
  decltype(std::declval<B&>().frame()) frame_;
  Index cells_ = grid_.patches() / stamp_.config.vision.merged_patches();
  Index length_ = 0;
  typename B::template Kept<Tokens, Hidden> features_ =
      engine_.keep(Tokens{cells_}, Hidden{stamp_.config.text.hidden_size});
  KvCache<B> cache_ = stamp_.model.empty_cache();
  Steps<B> steps_{};
  qwen2_vl::TextTurns<B> turns_{stamp_.config.text};
};

/// Perturbs one object at a time and compares the others. Where steps are recorded the first pass
/// is launched kernel by kernel, and all but the second are replays.
template <Backend B>
void expect_objects_apart(B& engine, const qwen2_vl::Config& config,
                          const qwen2_vl::PatchGrid& grid) {
  SharedMaskPass<B> pass(engine, config, grid);
  const auto requests = pass.requests();
  const auto before = pass.logits(requests);
  ASSERT_EQ(before.size(), requests.size());
  for (const auto& object : before) {
    for (const auto logit : object) ASSERT_TRUE(std::isfinite(logit));
  }
  for (std::size_t perturbed = 0; perturbed < requests.size(); ++perturbed) {
    for (const MaskRequest& other : pass.others()) {
      auto changed = requests;
      changed[perturbed] = other;
      const auto after = pass.logits(changed);
      ASSERT_EQ(after.size(), requests.size());
      for (std::size_t object = 0; object < requests.size(); ++object) {
        if (object == perturbed) {
          EXPECT_GE(difference(before[object], after[object]), 1e-6) << object;
        } else {
          EXPECT_EQ(before[object], after[object]) << "object " << object << " saw " << perturbed;
        }
      }
    }
  }
  EXPECT_EQ(pass.logits(requests), before);
}

}  // namespace stamp::test
