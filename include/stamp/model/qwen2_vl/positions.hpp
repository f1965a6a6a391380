// SPDX-License-Identifier: Apache-2.0
// M-RoPE: every token has three positions (time, row, column); text has the same one three times.
// Mirrors get_rope_index and Qwen2VLRotaryEmbedding of transformers' modeling_qwen2_vl.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stamp/model/qwen2_vl/patch_grid.hpp>
#include <stamp/nn/rotary.hpp>
#include <vector>

namespace stamp::qwen2_vl {

/// Where a token stands on the three axes.
struct Position {
  Index t = 0;
  Index h = 0;
  Index w = 0;
  [[nodiscard]] Index largest() const { return std::max({t, h, w}); }
  bool operator==(const Position&) const = default;
};

/// `count` text positions from `first` on.
[[nodiscard]] inline std::vector<Position> text_positions(Index first, Index count) {
  std::vector<Position> positions;
  for (Index at = first; at < first + count; ++at) positions.push_back({at, at, at});
  return positions;
}

/// Positions of `ids` when the text starts at `first`. Text counts up; an image (announced by
/// `<|vision_start|>` directly before an image token) starts at base = last + 1 and its merged
/// cell (t, r, c) stands at base + (t, r, c); text goes on at base + max(t, rows, columns).
/// Throws Error{input} when the ids and `grids` do not tell of the same images.
[[nodiscard]] inline std::vector<Position> rope_positions(std::span<const std::int32_t> ids,
                                                          std::span<const PatchGrid> grids,
                                                          const TokenIds& tokens, Index merge,
                                                          Index first = 0) {
  std::vector<Position> positions;
  positions.reserve(ids.size());
  Index next = first;
  std::size_t image = 0;
  for (std::size_t at = 0; at < ids.size();) {
    const bool announced = at > 0 && ids[at - 1] == tokens.vision_start;
    if (ids[at] != tokens.image_pad || !announced) {
      positions.push_back({next, next, next});
      ++next;
      ++at;
      continue;
    }
    if (image == grids.size()) {
      fail(Fault::input, "prompt: expected " + std::to_string(grids.size()) +
                             " images, found another at token " + std::to_string(at));
    }
    const PatchGrid& grid = grids[image++];
    const Index rows = grid.h / merge;
    const Index columns = grid.w / merge;
    const auto cells = static_cast<std::size_t>(grid.t * rows * columns);
    const auto pads = ids.subspan(at, std::min(cells, ids.size() - at));
    if (pads.size() < cells ||
        !std::all_of(pads.begin(), pads.end(), [&](auto id) { return id == tokens.image_pad; })) {
      fail(Fault::input, "prompt: expected " + std::to_string(cells) + " image tokens from token " +
                             std::to_string(at) + " on, found fewer");
    }
    for (Index cell = 0; cell < grid.t * rows * columns; ++cell) {
      positions.push_back(
          {next + cell / (rows * columns), next + cell / columns % rows, next + cell % columns});
    }
    next += std::max({grid.t, rows, columns});
    at += cells;
  }
  if (image != grids.size()) {
    fail(Fault::input, "prompt: expected " + std::to_string(grids.size()) +
                           " images, found tokens of " + std::to_string(image));
  }
  return positions;
}

/// Host memory in which rotary tables of text are made, and what it has computed before. Who makes
/// one every token keeps this.
template <Backend B>
struct TextTurns {
  using Number = typename B::Number;

  explicit TextTurns(const TextConfig& config) : turns(config.rope_theta, config.head_dim()) {}

  Turns<Number, typename B::Element> turns;
  std::vector<Number> cosines{};  ///< scratch
  std::vector<Number> sines{};    ///< scratch
};

/// Rotary tables of text: pair j turns with frequency theta^(-2j/HeadDim) and with the time, row
/// or column position, whichever mrope_section gives it. Angles in Number; cosine and sine are
/// rounded to the activations' type, as upstream casts them.
template <Backend B>
[[nodiscard]] Rotary<B, Tokens> text_rotary(B& engine, std::span<const Position> positions,
                                            const TextConfig& config, TextTurns<B>& made) {
  using Number = typename B::Number;
  const std::size_t pairs = made.turns.pairs();
  const auto until_h = std::min(static_cast<std::size_t>(config.mrope_section[0]), pairs);
  const auto until_w = std::min(until_h + static_cast<std::size_t>(config.mrope_section[1]), pairs);
  made.cosines.clear();
  made.sines.clear();
  for (const Position& position : positions) {
    made.turns.append(made.cosines, made.sines, position.t, 0, until_h);
    made.turns.append(made.cosines, made.sines, position.h, until_h, until_w);
    made.turns.append(made.cosines, made.sines, position.w, until_w, pairs);
  }
  return rotary(engine, Tokens{static_cast<Index>(positions.size())},
                Pairs{static_cast<Index>(pairs)}, std::span<const Number>(made.cosines),
                std::span<const Number>(made.sines));
}
/// The same where one is made now and then.
template <Backend B>
[[nodiscard]] Rotary<B, Tokens> text_rotary(B& engine, std::span<const Position> positions,
                                            const TextConfig& config) {
  TextTurns<B> made(config);
  return text_rotary(engine, positions, config, made);
}

}  // namespace stamp::qwen2_vl
