// SPDX-License-Identifier: Apache-2.0
// Whether a checkpoint holds the tensors that a model asks for, found before a byte of its weights
// is read, and all that is wrong with it said at once.
#pragma once

#include <algorithm>
#include <span>
#include <stamp/checkpoint/adapted_weights.hpp>
#include <stamp/model/qwen2_vl/config.hpp>
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

/// One sentence for each of `expected` that is missing, of another shape, or of no floating-point
/// type. Looks at headers only; nothing is merged.
[[nodiscard]] inline std::vector<std::string> tensor_problems(
    std::span<const ExpectedTensor> expected, const AdaptedWeights& weights) {
  std::vector<std::string> problems;
  for (const ExpectedTensor& tensor : expected) {
    const TensorEntry* found = weights.entry(tensor.name);
    const auto type = found == nullptr ? std::nullopt : element_type(found->dtype);
    if (found == nullptr) {
      problems.push_back(tensor.name + " missing, expected " + tensor.axes);
    } else if (!std::ranges::equal(found->shape, tensor.shape)) {
      problems.push_back(tensor.name + " shape " + to_string(found->shape) + " expected " +
                         tensor.axes);
    } else if (!type || *type == ElementType::int32 || *type == ElementType::int64) {
      problems.push_back("dtype " + found->dtype + " of " + tensor.name +
                         " unsupported for weights");
    }
  }
  return problems;
}

/// Throws one Error{input} that lists the first twenty problems, or says what is wrong with
/// STAMP's classifier, the usual one when a plain Qwen2-VL is given.
inline void check_tensors(const qwen2_vl::Config& config, std::span<const ExpectedTensor> expected,
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
