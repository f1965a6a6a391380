// SPDX-License-Identifier: Apache-2.0
// A run in which nothing is chosen: given tokens and pixels, every named activation of both phases.
// What `stamp parity` compares with PyTorch and what `--activations` writes.
#pragma once

#include <stamp/model/stamp/dialogue.hpp>
#include <stamp/observe/recorder.hpp>
#include <string>
#include <vector>

namespace stamp {

/// Everything that determines a run.
struct ReplayInput {
  std::vector<std::int32_t> ids;           ///< the prompt, image tokens expanded, and the answer
  Index prompt_length = 0;                 ///< how many of them are the prompt
  std::vector<float> pixel_values;         ///< [Patches, PatchLength], all images
  std::vector<qwen2_vl::PatchGrid> grids;  ///< one an image
  MaskPositions mask_positions = MaskPositions::text;
};

/// Throws Error{input} unless ids, grids and pixels fit each other and the model: a run that a file
/// tells of may tell anything.
void check_replay(const qwen2_vl::Config& config, const ReplayInput& input);

/// Positions [count, 3] as the contract has them: [3, count].
template <std::floating_point Number>
[[nodiscard]] Recorded<Number> position_ids(std::span<const qwen2_vl::Position> positions) {
  Recorded<Number> recorded{{3, static_cast<Index>(positions.size())}, {}};
  for (const auto axis : {&qwen2_vl::Position::t, &qwen2_vl::Position::h, &qwen2_vl::Position::w}) {
    for (const auto& position : positions) {
      recorded.values.push_back(static_cast<Number>(position.*axis));
    }
  }
  return recorded;
}

/// Runs prompt and answer in one causal pass (`language.logits` are the last prompt token's), then
/// one mask pass for every `<|seg|>` among them, named mask.0, mask.1, …
template <Backend B>
[[nodiscard]] Recording<typename B::Number> replay(B& engine, const Stamp<B>& stamp,
                                                   const ReplayInput& input) {
  using Number = typename B::Number;
  const auto count = static_cast<Index>(input.ids.size());
  check_replay(stamp.config, input);
  Recording<Number> recording;
  const Recorder<Number> tap(&recording);
  Dialogue<B> dialogue(engine, stamp);
  if (!input.grids.empty()) dialogue.look(input.pixel_values, input.grids, tap);
  dialogue.read(input.ids, input.prompt_length - 1, tap);
  recording["position_ids"] = position_ids<Number>(dialogue.positions());

  Index object = 0;
  for (Index token = 0; token < count && dialogue.image(); ++token) {
    if (input.ids[static_cast<std::size_t>(token)] != stamp.config.tokens.seg) continue;
    const std::string name = "mask." + std::to_string(object++);
    const auto mask = dialogue.segment(token, input.mask_positions, tap.within(name));
    recording[name + ".logits"] = {{mask.rows, mask.columns}, mask.values};

    std::vector<qwen2_vl::Position> where;
    const Index base = dialogue.positions()[static_cast<std::size_t>(token)].t + 1;
    for (Index cell = 0; cell < mask.rows * mask.columns; ++cell) {
      where.push_back(input.mask_positions == MaskPositions::text
                          ? TextPositions::at(base, cell, mask.columns)
                          : GridPositions::at(base, cell, mask.columns));
    }
    recording[name + ".position_ids"] = position_ids<Number>(where);
  }
  return recording;
}

}  // namespace stamp
