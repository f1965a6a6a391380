// SPDX-License-Identifier: Apache-2.0
// Which weights of a model of 8-bit weights are not kept in 8 bits.
#pragma once

#include <array>
#include <string_view>

namespace stamp {

/// Whether a leaf, by its name in the checkpoint, keeps bfloat16 where the model's weights have 8
/// bits. What the patch embedding, the first block of a tower and the first decoder layer round off
/// passes through all that follows, and the merger's features enter a picture's mask tokens twice,
/// as history and as input: with these in bytes the logits of the shipped model's masks are twice
/// as far from float32. They are 4 % of the 2B model's products. Where neighbouring numbers are
/// mixed before they are rounded, pixels would be hurt by that, too: neighbours are alike, and
/// their sum stands out more than any of them.
[[nodiscard]] inline bool stays_bf16(std::string_view leaf) {
  constexpr std::array sensitive{std::string_view("patch_embed"), std::string_view("merger."),
                                 std::string_view("blocks.0."), std::string_view("layers.0.")};
  for (const std::string_view part : sensitive) {
    const auto at = leaf.find(part);
    if (at != leaf.npos && (at == 0 || leaf[at - 1] == '.')) return true;
  }
  return false;
}

}  // namespace stamp
