// SPDX-License-Identifier: Apache-2.0
// Whether a source holds the tensors that a model asks for: found before a byte of its weights is
// read, and all that is wrong said at once.
#pragma once

#include <algorithm>
#include <concepts>
#include <span>
#include <stamp/checkpoint/safetensors_layout.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// Anything that tells a tensor's type and shape by its checkpoint name; null when it has none.
template <class Source>
concept TensorListing = requires(const Source& source, std::string_view name) {
  { source.entry(name) } -> std::convertible_to<const TensorEntry*>;
};

/// One sentence for each of `expected` that is missing, of another shape, or of no floating-point
/// type. Looks at headers only.
template <TensorListing Source>
[[nodiscard]] std::vector<std::string> tensor_problems(std::span<const ExpectedTensor> expected,
                                                       const Source& source) {
  std::vector<std::string> problems;
  for (const ExpectedTensor& tensor : expected) {
    const TensorEntry* found = source.entry(tensor.name);
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

/// Throws one Error{input} "WHERE: is no MODEL checkpoint: ..." that lists the first twenty
/// problems, the first missing tensor in front.
template <TensorListing Source>
void require_tensors(std::span<const ExpectedTensor> expected, const Source& source,
                     const std::string& where, std::string_view model) {
  const std::vector<std::string> problems = tensor_problems(expected, source);
  if (problems.empty()) return;
  fail(Fault::input,
       where + ": is no " + std::string(model) + " checkpoint: " + first_of(problems));
}

}  // namespace stamp::checkpoint
