// SPDX-License-Identifier: Apache-2.0
// What an answer about one picture costs at a model's sizes, phase by phase: operations and bytes,
// from which a machine's floors follow. Nothing is computed and no weight is needed.
#pragma once

#include <span>
#include <stamp/model/stamp/dialogue.hpp>
#include <stamp/observe/counting_engine.hpp>

namespace stamp {

/// A question: text, a picture, text again; an answer of so many tokens and the mask of its last.
struct AnswerSize {
  qwen2_vl::PatchGrid grid{1, 64, 64};  ///< an 896×896 picture
  Index before = 37;                    ///< tokens in front of `<|vision_start|>`
  Index after = 38;                     ///< tokens behind the picture
  Index words = 50;

  /// The prompt's tokens, [before + 1 + merged patches + after]; text is token 1.
  [[nodiscard]] std::vector<std::int32_t> prompt(const qwen2_vl::Config& config) const {
    const auto id = [](Index token) { return static_cast<std::int32_t>(token); };
    std::vector<std::int32_t> ids(static_cast<std::size_t>(before), 1);
    ids.push_back(id(config.tokens.vision_start));
    ids.insert(ids.end(), static_cast<std::size_t>(grid.patches() / config.vision.merged_patches()),
               id(config.tokens.image_pad));
    ids.insert(ids.end(), static_cast<std::size_t>(after), 1);
    return ids;
  }
};

/// What each phase of an answer multiplies and reads.
struct AnswerWork {
  counting::Counts vision;   ///< pixel values to merged features
  counting::Counts prefill;  ///< the prompt
  counting::Counts decode;   ///< the last of the answer's tokens
  counting::Counts mask;     ///< the mask pass of one object
};

/// Counts what Dialogue asks of its backend. Sizes as in `Config`; Error{usage} where the grid does
/// not go with the model.
[[nodiscard]] inline AnswerWork answer_work(const qwen2_vl::Config& config,
                                            const AnswerSize& size = {}) {
  counting::Engine engine;
  Stamp<counting::Engine> stamp(config);
  bind(engine, stamp, counting::NoWeights(expected_tensors(stamp)));
  Dialogue<counting::Engine> dialogue(engine, stamp);
  const auto lap = [&] { return std::exchange(engine.counts, {}); };
  AnswerWork work;
  const std::vector<float> pixels(
      static_cast<std::size_t>(size.grid.patches() * config.vision.patch_length()));
  dialogue.look(pixels, std::span(&size.grid, 1));
  work.vision = lap();
  (void)dialogue.read(size.prompt(config));
  work.prefill = lap();
  for (Index said = 0; said < size.words; ++said) {
    const std::int32_t id = 1;
    (void)lap();
    (void)dialogue.read(std::span(&id, 1));
    work.decode = lap();
  }
  (void)dialogue.segment(std::ssize(dialogue.tokens()) - 1, MaskPositions::text);
  work.mask = lap();
  return work;
}

}  // namespace stamp
