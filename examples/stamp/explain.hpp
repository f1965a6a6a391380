// SPDX-License-Identifier: Apache-2.0
// --explain: why this mask, or why none, and the one thing to try.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stamp/session/conversation.hpp>
#include <string>

namespace stamp::command {

/// Several lines of text about an answer. A cell is near the threshold when its probability moves
/// less than 0.12 from one half (|logit - threshold| < 0.5).
[[nodiscard]] inline std::string explanation(const Answer& answer, const SegmentOptions& options) {
  constexpr double near = 0.5;
  std::string text = fmt::format(
      "answer   \"{}\", {} {} after a prompt of {}\n", answer.text, answer.output_ids.size(),
      answer.output_ids.size() == 1 ? "token" : "tokens", answer.input_ids.size());
  std::string advice;
  if (answer.masks.empty()) {
    text += "masks    none: the answer holds no <|seg|>, so nothing was segmented\n";
    advice =
        "name the object plainly (\"the red mug\"), or force an answer: --response \"It is "
        "<|seg|>.\"";
  }
  for (const Mask& mask : answer.masks) {
    const auto [low, high] = std::minmax_element(mask.logits.begin(), mask.logits.end());
    Index above = 0;
    Index unsure = 0;
    for (const float logit : mask.logits) {
      above += static_cast<double>(logit) > options.threshold ? 1 : 0;
      unsure += std::abs(static_cast<double>(logit) - options.threshold) < near ? 1 : 0;
    }
    const auto cells = static_cast<double>(mask.logits.size());
    text += fmt::format(
        "mask {}   <|seg|> at token {}, N = {} ({} x {} cells), logits {:.2f} to {:.2f}, {} cells "
        "above {}, {:.1f} % of the cells near it\n",
        mask.index, mask.token_index, mask.logits.size(), mask.rows, mask.columns, *low, *high,
        above, options.threshold, 100 * static_cast<double>(unsure) / cells);
    if (above == 0) {
      advice = fmt::format("no cell is above the threshold: try --threshold {:.1f}",
                           std::floor(static_cast<double>(*high) * 2 - 1) / 2);
    } else if (above < 9 && advice.empty()) {
      advice = fmt::format("the object covers {} cells only: try a larger --min-pixels", above);
    } else if (static_cast<double>(unsure) > cells / 10 && advice.empty()) {
      advice = "many cells are near the threshold: name the object more closely";
    }
  }
  if (advice.empty()) advice = "nothing: the mask is clear";
  return text + "to try   " + advice + "\n";
}

}  // namespace stamp::command
