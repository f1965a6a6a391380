// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/check_tensors.hpp>.
#pragma once

#include <stamp/checkpoint/check_tensors.hpp>
#include <stamp/checkpoint/tensor_problems.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

namespace detail {

/// STAMP's own module: a linear layer from hidden_size to one logit, with bias.
inline void check_classifier(const qwen2_vl::Config& config, const AdaptedWeights& weights,
                             const std::string& where) {
  const auto found = [&](const char* name) {
    const TensorEntry* entry = weights.entry(name);
    return entry == nullptr ? std::string("none") : to_string(entry->shape);
  };
  const std::string weight = found("classifier.weight"), bias = found("classifier.bias");
  const std::string hidden = std::to_string(config.text.hidden_size);
  if (weight == "(1, " + hidden + ")" && bias == "(1)") return;
  fail(Fault::input, where + ": classifier must be [1, " + hidden + "] with bias; found weight " +
                         weight + ", bias " + bias);
}

}  // namespace detail

void check_tensors(const qwen2_vl::Config& config, std::span<const ExpectedTensor> expected,
                   const AdaptedWeights& weights) {
  const std::string where = shown(weights.base().folder());
  std::vector<std::string> problems = tensor_problems(expected, weights);
  // The classifier has a sentence of its own.
  std::erase_if(problems, [](const std::string& problem) {
    return problem.find("classifier.") != std::string::npos;
  });
  if (!problems.empty()) {
    fail(Fault::input, where + ": does not fit config.json (hidden_size " +
                           std::to_string(config.text.hidden_size) + "): " + first_of(problems));
  }
  detail::check_classifier(config, weights, where);
}

}  // namespace stamp::checkpoint
