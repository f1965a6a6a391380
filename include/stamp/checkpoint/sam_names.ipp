// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/sam_names.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/sam_names.hpp>

namespace stamp::checkpoint {

namespace detail {

/// What stands in `name` for the `#` and `*` of `pattern`; empty where it does not fit.
[[nodiscard]] inline std::optional<std::vector<std::string_view>> matched(std::string_view pattern,
                                                                          std::string_view name) {
  std::vector<std::string_view> parts;
  for (const char sign : pattern) {
    std::size_t length = 1;
    if (sign == '#') {
      length = std::min(name.find_first_not_of("0123456789"), name.size());
    } else if (sign == '*') {
      length = std::min(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), name.size());
    } else if (!name.starts_with(sign)) {
      return std::nullopt;
    }
    if (length == 0) return std::nullopt;
    if (sign == '#' || sign == '*') parts.push_back(name.substr(0, length));
    name.remove_prefix(length);
  }
  if (!name.empty()) return std::nullopt;
  return parts;
}

std::string filled(std::string_view pattern, std::span<const std::string_view> parts) {
  std::string name;
  std::size_t next = 0;
  for (const char sign : pattern) {
    if (sign == '#' || sign == '*') {
      name += parts[next++];
    } else {
      name += sign;
    }
  }
  return name;
}

}  // namespace detail

std::vector<std::string> translated_sam_names(std::string_view name, SamNaming from, SamNaming to) {
  const auto side = [](const SamName& row, SamNaming naming) {
    return naming == SamNaming::official ? row.official : row.huggingface;
  };
  std::vector<std::string> names;
  for (const SamName& row : sam_names) {
    const auto parts = detail::matched(side(row, from), name);
    if (!parts) continue;
    std::string found = from == to ? std::string(name) : detail::filled(side(row, to), *parts);
    if (std::find(names.begin(), names.end(), found) == names.end()) {
      names.push_back(std::move(found));
    }
  }
  return names;
}

std::optional<SamNaming> sam_naming(std::span<const std::string> names) {
  const auto fitting = [&](SamNaming naming) {
    return std::count_if(names.begin(), names.end(), [naming](const std::string& name) {
      return !translated_sam_names(name, naming, naming).empty();
    });
  };
  const auto official = fitting(SamNaming::official);
  const auto huggingface = fitting(SamNaming::huggingface);
  if (official == 0 && huggingface == 0) return std::nullopt;
  return official >= huggingface ? SamNaming::official : SamNaming::huggingface;
}

}  // namespace stamp::checkpoint
