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

/// Of `names` the one that `word` was probably meant to be: one slip, and one more for every three
/// letters. Empty when none is that near.
[[nodiscard]] inline std::string nearest_of(std::string_view word,
                                            const std::vector<std::string>& names) {
  std::string nearest;
  std::size_t best = 2 + word.size() / 4;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

/// What is wrong with a command line, in one sentence: CLI11's, except for a word that nobody
/// knows, which is named with the nearest option or subcommand. Never shows more of a prompt than
/// CLI11.
[[nodiscard]] inline std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error,
                                                int argc, char** argv) {
  const auto meant = [](std::string problem, const std::string& nearest) {
    return nearest.empty() ? problem : problem + " (did you mean " + nearest + "?)";
  };
  const auto used = app.get_subcommands();
  const CLI::App& scope = used.empty() ? app : *used.front();
  std::vector<std::string> options;
  for (const CLI::Option* option : scope.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) options.push_back("-" + name);
  }
  for (int at = 1; at < argc; ++at) {
    const std::string_view argument = argv[at];
    if (argument == "--") break;
    const std::string word(argument.substr(0, argument.find('=')));
    if (word.size() < 3 || !word.starts_with("--")) continue;
    if (std::find(options.begin(), options.end(), word) != options.end()) continue;
    return meant(word + ": no such option", nearest_of(word, options));
  }
  if (used.empty() && argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
    return meant(std::string(argv[1]) +
                     ": no such command: expected segment, chat, parity, info, "
                     "tokenize or convert",
                 nearest_of(argv[1], commands));
  }
  return error.what();
}

}  // namespace stamp::command
