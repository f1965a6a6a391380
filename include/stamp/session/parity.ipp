// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/parity.hpp>.
#pragma once

#include <optional>
#include <stamp/session/parity.hpp>

namespace stamp {

double steps_before(std::string_view name, Index vision_layers, Index language_layers) {
  const auto number_after = [&](std::string_view prefix) -> std::optional<Index> {
    const auto at = name.find(prefix);
    if (at == std::string_view::npos) return std::nullopt;
    return leading_number(name.substr(at + prefix.size()));
  };
  const auto features = static_cast<double>(vision_layers + 2);
  const auto text = static_cast<double>(language_layers + 2);
  double steps = 1;
  if (name.starts_with("mask.")) steps += text;  // reads the cache that the text pass wrote
  if (name.starts_with("language.") || name.starts_with("mask.")) steps += features;
  if (name == "vision.merger") return features;
  if (const auto block = number_after("vision.blocks.")) {
    return steps + static_cast<double>(*block + 1);
  }
  if (const auto layer = number_after(".layers.")) return steps + static_cast<double>(*layer + 1);
  if (name.ends_with(".norm")) return steps + static_cast<double>(language_layers + 1);
  if (name.ends_with(".logits")) return steps + text;
  return steps;
}

}  // namespace stamp
