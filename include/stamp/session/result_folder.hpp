// SPDX-License-Identifier: Apache-2.0
// The folder that a run leaves its results in: which names are ours there, and what must not be
// replaced by them.
#pragma once

#include <filesystem>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace stamp {

/// The name of a mask in the results' folder: "mask-0.png" for mask 0.
[[nodiscard]] std::string mask_file(Index mask);
/// The name of its refined copy: "mask-0-refined.png".
[[nodiscard]] std::string refined_file(Index mask);
inline constexpr std::string_view overlay_file = "overlay.png";
inline constexpr std::string_view logits_file = "logits.safetensors";
inline constexpr std::string_view result_file = "result.json";

/// The one list of the names that a run may leave in its folder: those above, for any mask.
[[nodiscard]] bool is_result_file(std::string_view name);

/// Folders that were made for results. When it ends, those of them that are empty go again: a run
/// that is refused leaves none.
class MadeFolders {
 public:
  MadeFolders() = default;
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  MadeFolders(MadeFolders&& other) noexcept : made_(std::exchange(other.made_, {})) {}
  MadeFolders& operator=(MadeFolders&&) = delete;
  ~MadeFolders();

  /// Makes `folder` and those above it, where they are missing.
  void make(const std::filesystem::path& folder, std::error_code& error);

 private:
  std::vector<std::filesystem::path> made_;  ///< the innermost first
};

/// Makes `folder` where it is missing and proves that files can be written there and that none of
/// them would replace an input; a folder among `inputs` stands for all files in it. Called before
/// anything is computed; what is returned is kept until results are written. Throws Error{usage}
/// for a name with a line break or for an input, Error{resource} where writing is impossible.
[[nodiscard]] MadeFolders check_output_folder(const std::filesystem::path& folder,
                                              std::span<const std::filesystem::path> inputs);

/// Proves that `file` can be written and is none of `inputs`, which are as above. Called before
/// anything is computed. Throws as AtomicFile does, and Error{usage} for an input.
void check_output_file(const std::filesystem::path& file,
                       std::span<const std::filesystem::path> inputs);

/// Proves that `file` is none of the results of `folder`, which need not exist yet. Throws
/// Error{usage}.
void check_beside_results(const std::filesystem::path& file, const std::filesystem::path& folder);

/// Removes what an earlier run left in `folder` and this one, which wrote the names `written`, did
/// not replace. Other people's files stay.
void remove_other_results(const std::filesystem::path& folder,
                          std::span<const std::string> written);

}  // namespace stamp
