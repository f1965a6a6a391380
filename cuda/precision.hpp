// SPDX-License-Identifier: Apache-2.0
// Which weights of a model of 8-bit weights become codes.
#pragma once

#include <stamp/cuda/weights.hpp>
#include <stamp/nn/precision.hpp>

namespace stamp::cuda {

/// What a leaf's matrices are kept in, by its name in the checkpoint, where `wanted` is asked for.
/// Codes pay where a pass multiplies few rows and waits for weights, which only the language model
/// and its head do. The vision tower and SAM's encoder always multiply hundreds of rows: their
/// codes would be widened at every use, for nothing but less memory. Of the language model what is
/// most sensitive stays bfloat16, too. A leaf without a name is no part of a model.
[[nodiscard]] inline Weights weights_for(std::string_view leaf, Weights wanted) {
  const bool decodes = leaf.empty() || leaf.starts_with("model.") || leaf.starts_with("lm_head");
  return decodes && !stays_bf16(leaf) ? wanted : Weights::full;
}

}  // namespace stamp::cuda
