// SPDX-License-Identifier: Apache-2.0
// Where mask tokens stand for the rotary embedding: two variants of the paper's code, as types.
#pragma once

#include <concepts>
#include <stamp/model/qwen2_vl/positions.hpp>

namespace stamp {

/// From cell i of a grid `columns` wide, and the position after `<|seg|>`, to a position.
template <class P>
concept PositionPolicy = requires(Index base, Index cell, Index columns) {
  { P::at(base, cell, columns) } -> std::same_as<qwen2_vl::Position>;
};

/// Cell i stands at base + i on all three axes, like text. What the released predictor and its
/// training do, so what released weights expect.
struct TextPositions {
  [[nodiscard]] static qwen2_vl::Position at(Index base, Index cell, Index) {
    return {base + cell, base + cell, base + cell};
  }
};

/// Cell (r, c) stands at base + (0, r, c), like the image it answers for. In the released code,
/// but never called there; logits move by whole units, so weights must be trained for it.
struct GridPositions {
  [[nodiscard]] static qwen2_vl::Position at(Index base, Index cell, Index columns) {
    return {base, base + cell / columns, base + cell % columns};
  }
};

}  // namespace stamp
