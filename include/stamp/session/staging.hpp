// SPDX-License-Identifier: Apache-2.0
// Several files that appear together or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stamp {

/// A folder below the results' own where they are made. Nothing moves before all of it is on disk,
/// so a disk that fills up leaves the earlier results as they were.
class Staging {
 public:
  /// The name of that folder. What is in it belongs to a run, and is removed.
  static constexpr std::string_view place = ".partial";

  explicit Staging(const std::filesystem::path& folder);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  Staging(Staging&&) = delete;
  Staging& operator=(Staging&&) = delete;
  ~Staging() { clear(); }

  /// Where to write the file that will be called `name`.
  [[nodiscard]] std::filesystem::path add(std::string_view name);

  /// What was added so far.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  /// Moves all files to their places in the order in which they were added.
  void commit();

 private:
  void clear() const;

  std::filesystem::path folder_;
  std::filesystem::path place_;
  std::vector<std::string> names_;
};

}  // namespace stamp
