// SPDX-License-Identifier: Apache-2.0
// Wrong usage in one sentence, with the option that was probably meant.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::command {

/// Insertions, deletions and replacements between two words.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// CLI11's message on one line; for an option that nobody knows, the nearest one of the
/// subcommand. Words of options are shown, never more of a prompt than CLI11 shows.
[[nodiscard]] inline std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error,
                                                int argc, char** argv) {
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  const auto used = app.get_subcommands();
  const CLI::App& scope = used.empty() ? app : *used.front();
  std::string nearest;
  std::size_t best = 4;  // farther than that is no slip of the finger
  for (int at = 1; at < argc; ++at) {
    const std::string_view word = std::string_view(argv[at]).substr(
        0, std::string_view(argv[at]).find('='));
    if (!word.starts_with("--")) continue;
    bool known = false;
    std::vector<std::string> names;
    for (const CLI::Option* option : scope.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    for (const std::string& name : names) known = known || name == word;
    if (known) continue;
    for (const std::string& name : names) {
      const std::size_t distance = edit_distance(word, name);
      if (distance < best) {
        best = distance;
        nearest = name;
      }
    }
  }
  return nearest.empty() ? text : text + " (did you mean " + nearest + "?)";
}

}  // namespace stamp::command
