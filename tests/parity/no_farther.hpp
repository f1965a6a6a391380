// SPDX-License-Identifier: Apache-2.0
// How far rough arithmetic may be from PyTorch's float32: no farther than PyTorch's own.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <stamp/checkpoint/json.hpp>
#include <stamp/session/parity.hpp>

namespace stamp::test {

/// √(2 - 2·cosine): relative L2 of tensors of nearly one length.
[[nodiscard]] inline double distance_of(const ParityRow& row) {
  return std::sqrt(std::max(0.0, 2 - 2 * row.cosine));
}

/// `theirs` tells by the tensor's name how far PyTorch's bfloat16 run is from its float32 run, as
/// relative L2. Ours may be `times` as far.
inline void expect_no_farther(std::span<const ParityRow> rows, const nlohmann::json& theirs,
                              double times) {
  int compared = 0;
  for (const ParityRow& row : rows) {
    if (!theirs.contains(row.name)) continue;
    EXPECT_LE(distance_of(row), times * theirs[row.name].get<double>()) << row.name;
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

}  // namespace stamp::test
