// SPDX-License-Identifier: Apache-2.0
// The different ids among many, in the order of their first appearance, and which one each is.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace stamp::cuda {

/// ids[i] == values[which[i]], values all different. A prompt's image tokens and the tokens of a
/// mask are one id, so only a few rows of the embedding table travel to the device.
struct Distinct {
  std::vector<std::int32_t> values;
  std::vector<std::int32_t> which;

  explicit Distinct(std::span<const std::int32_t> ids) {
    std::unordered_map<std::int32_t, std::int32_t> found;
    which.reserve(ids.size());
    for (const std::int32_t id : ids) {
      const auto [at, fresh] = found.try_emplace(id, static_cast<std::int32_t>(values.size()));
      if (fresh) values.push_back(id);
      which.push_back(at->second);
    }
  }
};

}  // namespace stamp::cuda
