// SPDX-License-Identifier: Apache-2.0
// Damage in weights that only shows when a model runs, told in terms of the file.
#pragma once

#include <stamp/checkpoint/scan.hpp>
#include <stamp/session/model.hpp>
#include <string>
#include <utility>
#include <vector>

namespace stamp {

/// What run() returns. Where it ends because an activation is not finite, the weights are searched,
/// and if one of them is to blame: Error{input} "FOLDER: NAME has K non-finite values, first at
/// index I". Costs nothing while all goes well: a 2B checkpoint is not read twice.
template <Backend B, class Run>
decltype(auto) naming_bad_weights(const Model<B>& model, Run&& run) {
  try {
    return std::forward<Run>(run)();
  } catch (const Error& error) {
    if (error.fault() != Fault::failure) throw;
    const auto& folder = model.folder();
    for (const std::string& name : folder.weights->names()) {
      const auto tensor = folder.weights->find(name);
      const auto bad = tensor ? checkpoint::find_non_finite(*tensor) : checkpoint::NonFinite{};
      if (bad.count == 0) continue;
      fail(Fault::input, checkpoint::shown(folder.folder) + ": " + name + " has " +
                             std::to_string(bad.count) + " non-finite values, first at index " +
                             std::to_string(bad.first) + " (" + error.what() + ")");
    }
    throw;
  }
}

/// Normalisation weights that are all zero, a sentence each. Looks at vectors only.
template <Backend B>
[[nodiscard]] std::vector<std::string> silent_norms(const Model<B>& model) {
  std::vector<std::string> sentences;
  const auto& weights = *model.folder().weights;
  for (const std::string& name : weights.names()) {
    if (weights.entry(name)->shape.size() != 1) continue;
    const auto tensor = weights.find(name);
    std::string sentence = tensor ? checkpoint::norm_warning(name, *tensor) : std::string();
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
  }
  return sentences;
}

}  // namespace stamp
