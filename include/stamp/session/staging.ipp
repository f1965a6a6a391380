// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/staging.hpp>.
#pragma once

#include <stamp/checkpoint/regular_file.hpp>
#include <stamp/session/staging.hpp>

namespace stamp {

Staging::Staging(const std::filesystem::path& folder) : folder_(folder), place_(folder / place) {
  clear();  // what a run that was killed left
  std::error_code error;
  std::filesystem::create_directory(place_, error);
  if (error) {
    fail(Fault::resource, checkpoint::shown(place_) + ": cannot be made, " + error.message());
  }
}

std::filesystem::path Staging::add(std::string_view name) {
  std::error_code error;
  const auto there = std::filesystem::symlink_status(folder_ / name, error);
  if (std::filesystem::is_directory(there)) {
    fail(Fault::resource,
         checkpoint::shown(folder_ / name) + ": cannot be written, it is not a regular file");
  }
  names_.emplace_back(name);
  return place_ / name;
}

void Staging::commit() {
  std::error_code error;
  for (const std::string& name : names_) {
    std::filesystem::rename(place_ / name, folder_ / name, error);
    if (error) {
      fail(Fault::resource,
           checkpoint::shown(folder_ / name) + ": cannot be written, " + error.message());
    }
  }
}

void Staging::clear() const {
  std::error_code ignored;
  std::filesystem::remove_all(place_, ignored);
}

}  // namespace stamp
