// SPDX-License-Identifier: Apache-2.0
// Weights that are good for timing: of any model, at any size, without a file.
#pragma once

#include <algorithm>
#include <optional>
#include <stamp/observe/counting_engine.hpp>
#include <string_view>
#include <vector>

namespace stamp::benchmarks {

[[nodiscard]] inline std::vector<bfloat16> random_weights(std::size_t count) {
  std::vector<bfloat16> numbers(count);
  std::uint64_t state = 1;
  for (bfloat16& number : numbers) {  // a linear congruence is random enough to time with
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    number = bfloat16((static_cast<float>(state >> 40U) * 0x1p-24F - 0.5F) * 0.07F);
  }
  return numbers;
}

/// Any tensor of any model: matrices share one stretch of random numbers, norms are ones.
class SharedWeights {
 public:
  explicit SharedWeights(const std::vector<ExpectedTensor>& expected) : shapes_(expected) {
    Index largest = 0;
    for (const ExpectedTensor& tensor : expected) {
      largest = std::max(largest, shapes_.find(tensor.name)->size());
    }
    numbers_ = random_weights(static_cast<std::size_t>(largest));
    ones_.assign(1U << 16U, bfloat16(1.0F));
  }
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    auto stored = shapes_.find(name);
    if (!stored) return stored;
    const bool norm = stored->rank == 1 && name.ends_with("weight");
    stored->data = reinterpret_cast<const std::byte*>(norm ? ones_.data() : numbers_.data());
    return stored;
  }

 private:
  counting::NoWeights shapes_;
  std::vector<bfloat16> numbers_;
  std::vector<bfloat16> ones_;
};

}  // namespace stamp::benchmarks
