// SPDX-License-Identifier: Apache-2.0
// Wrong usage in one sentence of the house: what, what was expected, what was found.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <stamp/checkpoint/utf8.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "nearest_option.hpp"

namespace stamp::command {

/// The words behind the program's name, with `--option=` taken apart: CLI11 gives an option that
/// ends there the next word as its value, not the empty one.
[[nodiscard]] inline std::vector<std::string> words_of(const CLI::App& app, int argc, char** argv) {
  const auto commands = app.get_subcommands({});
  const auto known = [&](const std::string& name) {
    return std::ranges::any_of(commands, [&](const CLI::App* command) {
      return command->get_option_no_throw(name) != nullptr;
    });
  };
  std::vector<std::string> words;
  bool options = true;
  for (int at = 1; at < argc; ++at) {
    std::string word = argv[at];
    options = options && word != "--";
    const bool open = options && word.starts_with("--") && word.ends_with('=') &&
                      known(word.substr(0, word.size() - 1));
    if (open) word.pop_back();
    words.push_back(std::move(word));
    if (open) words.emplace_back();
  }
  return words;
}

[[nodiscard]] inline std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

/// The option that CLI11's sentence starts with; nullptr where it is about none.
[[nodiscard]] inline const CLI::Option* option_of(const CLI::App& scope,
                                                  std::string_view sentence) {
  const auto options = scope.get_options();
  const auto named = std::ranges::find_if(options, [&](const CLI::Option* option) {
    const std::string name = option->get_name();
    return sentence.starts_with(name) && sentence.substr(name.size()).find_first_of(": ") == 0;
  });
  return named == options.end() ? nullptr : *named;
}

/// A word of the command line that looks like an option and is none of `scope`'s; else empty.
[[nodiscard]] inline std::string unknown_option(const CLI::App& scope,
                                                const std::vector<std::string>& words) {
  std::vector<std::string> options;
  for (const CLI::Option* option : scope.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) options.push_back("-" + name);
  }
  for (const std::string& typed : words) {
    if (typed == "--") break;
    const std::string word = typed.substr(0, typed.find('='));
    if (word.size() < 3 || !word.starts_with("--")) continue;
    if (std::ranges::find(options, word) != options.end()) continue;
    return meant(checkpoint::printable(word) + ": no such option", nearest_of(word, options));
  }
  return "";
}

/// Words that `scope` has no place for, in the order in which they were typed.
[[nodiscard]] inline std::string extras_sentence(const CLI::App& scope) {
  const auto extras = scope.remaining();
  for (const std::string& word : extras) {
    if (word.size() == 2 && word.starts_with('-')) return word + ": no such option";
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : scope.get_options()) {
    if (option->get_positional()) names.push_back(option->get_name());
  }
  const std::string expected =
      names.empty() ? "options alone" : listed(names, "and") + " (quote one of several words)";
  return fmt::format("{}: expected {}, found also {}", scope.get_name(), expected,
                     checkpoint::printable(fmt::format("{}", fmt::join(extras, " "))));
}

/// What is wrong with a command line, in one sentence.
[[nodiscard]] inline std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error,
                                                const std::vector<std::string>& words) {
  const auto used = app.get_subcommands();
  const CLI::App& scope = used.empty() ? app : *used.front();
  const std::string unknown = unknown_option(scope, words);
  if (!unknown.empty()) return unknown;
  if (used.empty()) {
    const auto names = command_names(app);
    const std::string expected = "expected " + listed(names, "or");
    if (words.empty() || words.front().starts_with('-')) {
      return "command: " + expected + ", found " + (words.empty() ? "none" : "an option first");
    }
    return meant(checkpoint::printable(words.front()) + ": no such command: " + expected,
                 nearest_of(words.front(), names));
  }
  const std::string sentence = error.what();
  const auto kind = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (kind == CLI::ExitCodes::ExtrasError) {
    if (scope.remaining_size() > 0) return extras_sentence(scope);
    return fmt::format("{}: expected behind the command", fmt::join(app.remaining(), " "));
  }
  if (kind == CLI::ExitCodes::ConversionError) {  // of flags alone: values are checked before
    const std::size_t name = std::min(sentence.find("--"), sentence.size());
    const auto rest = std::string_view(sentence).substr(name);
    if (const CLI::Option* flag = option_of(scope, rest); flag != nullptr) {
      return flag->get_name() + ": expected no value, found one";
    }
  }
  const CLI::Option* option = option_of(scope, sentence);
  if (option == nullptr) return sentence;
  if (kind == CLI::ExitCodes::RequiredError) {
    return fmt::format("{}: expected {}, found none", option->get_name(),
                       option->get_description());
  }
  if (kind == CLI::ExitCodes::ArgumentMismatch) {
    return option->count() > 1
               ? fmt::format("{}: expected once, found {} times", option->get_name(),
                             option->count())
               : fmt::format("{}: expected a value, found none", option->get_name());
  }
  return sentence;
}

}  // namespace stamp::command
