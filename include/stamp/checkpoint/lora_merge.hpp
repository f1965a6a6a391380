// SPDX-License-Identifier: Apache-2.0
// W + s·B·A, the arithmetic of a LoRA merge, as peft's `Linear.merge` does it (0.18,
// lora/layer.py).
#pragma once

#include <stamp/tensor/stored.hpp>
#include <vector>

namespace stamp::checkpoint {

/// The two factors of one module's update; A is (r, in...), B is (out, r) with trailing ones.
struct LowRank {
  StoredTensor a;
  StoredTensor b;
  double scale = 1;
};

/// The merged weight in the base's element type, `base.bytes()` bytes. As PEFT: the update is taken
/// in float32 (in double when a factor is float64), added in that precision, then rounded once.
[[nodiscard]] std::vector<std::byte> merge(const StoredTensor& base, const LowRank& update);

}  // namespace stamp::checkpoint
