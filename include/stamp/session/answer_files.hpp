// SPDX-License-Identifier: Apache-2.0
// What an answer leaves in a folder: result.json, a mask a file, the overlay and the raw logits.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stamp/session/answer.hpp>
#include <stamp/session/result_folder.hpp>
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

/// result.json; fields and units in docs/command.md.
[[nodiscard]] nlohmann::ordered_json answer_json(const Answer& answer, const RunFacts& facts);

/// Writes all files or none, and result.json last, so that it never names a file that is missing.
/// Results of an earlier run that this one does not replace are removed. Returns the text of
/// result.json. Throws Error{resource} when the disk is full.
std::string write_answer(const std::filesystem::path& folder, const Answer& answer,
                         const Image& image, const RunFacts& facts);

}  // namespace stamp
