// SPDX-License-Identifier: Apache-2.0
// Whether a checkpoint folder fits its config.json, and the sentence for a plain Qwen2-VL, which
// lacks STAMP's classifier.
#pragma once

#include <span>
#include <stamp/checkpoint/adapted_weights.hpp>
#include <stamp/model/qwen2_vl/config.hpp>

namespace stamp::checkpoint {

/// Throws one Error{input} that lists the first twenty problems, or says what is wrong with
/// STAMP's classifier, the usual one when a plain Qwen2-VL is given.
void check_tensors(const qwen2_vl::Config& config, std::span<const ExpectedTensor> expected,
                   const AdaptedWeights& weights);

}  // namespace stamp::checkpoint
