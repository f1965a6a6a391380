// SPDX-License-Identifier: Apache-2.0
// Which values an option takes, in the words of the house: what was expected, what was found.
// CLI11 puts the option's name in front.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

#include <CLI/CLI.hpp>
#include <stamp/checkpoint/utf8.hpp>
#include <string>
#include <utility>
#include <vector>

#include "nearest_option.hpp"

namespace stamp::command {

/// A number of this range; NaN is in none.
template <class Number>
[[nodiscard]] CLI::Validator between(Number least, Number most) {
  const auto problem = [least, most](const std::string& text) -> std::string {
    Number value{};
    if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return "";
    return fmt::format("expected {} to {}, found {}", least, most, checkpoint::printable(text));
  };
  return {problem, fmt::format("[{} - {}]", least, most)};
}

/// One of these words.
[[nodiscard]] inline CLI::Validator one_of(std::vector<std::string> words) {
  auto description = fmt::format("{{{}}}", fmt::join(words, ","));
  const auto problem = [words = std::move(words)](const std::string& text) -> std::string {
    if (std::find(words.begin(), words.end(), text) != words.end()) return "";
    return meant(
        fmt::format("expected {}, found {}", listed(words, "or"), checkpoint::printable(text)),
        nearest_of(text, words));
  };
  return {problem, std::move(description)};
}

}  // namespace stamp::command
