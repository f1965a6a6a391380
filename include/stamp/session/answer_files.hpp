// SPDX-License-Identifier: Apache-2.0
// What an answer leaves in a folder: result.json, a mask a file, the overlay and the raw logits.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/session/answer.hpp>
#include <string>

namespace stamp {

/// How an answer came about, for result.json.
struct RunFacts {
  std::string image;  ///< path as given
  std::string prompt;
  std::string model;  ///< checkpoint folder
  Index parameters = 0;
  std::string stored_type;  ///< of the weights
  std::string backend;
  std::string dtype;  ///< of the computation
};

/// Where a mask stands in the results' folder, and its refined copy.
[[nodiscard]] std::string mask_file(Index mask);
[[nodiscard]] std::string refined_file(Index mask);

/// result.json; fields and units in docs/command.md.
[[nodiscard]] nlohmann::ordered_json answer_json(const Answer& answer, const RunFacts& facts);

/// Makes `folder` where it is missing and proves that files can be written there and that none of
/// them would replace `input`. Called before anything is computed. Throws Error{usage} for a
/// name with a line break or for the input image, Error{resource} where writing is impossible.
void check_output_folder(const std::filesystem::path& folder, const std::filesystem::path& input);

/// Proves that `file` can be written and is not `input`. Called before anything is computed. Throws
/// as AtomicFile does, and Error{usage} for the input.
void check_output_file(const std::filesystem::path& file, const std::filesystem::path& input);

/// Removes masks of an earlier run that this one has not replaced.
void remove_other_masks(const std::filesystem::path& folder, const Answer& answer);

/// Writes all files or none, and result.json last, so that it never names a file that is missing.
/// Masks of an earlier run that this one does not replace are removed. Returns the text of
/// result.json. Throws Error{resource} when the disk is full.
std::string write_answer(const std::filesystem::path& folder, const Answer& answer,
                         const Image& image, const RunFacts& facts);

}  // namespace stamp
