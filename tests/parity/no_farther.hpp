// SPDX-License-Identifier: Apache-2.0
// How far rough arithmetic may be from PyTorch's float32: no farther than PyTorch's own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <stamp/checkpoint/json.hpp>
#include <stamp/session/parity.hpp>

namespace stamp::test {

/// Distances of activations from PyTorch's float32 run, ours beside those of PyTorch's bfloat16
/// run: relative L2, that is, √(2 - 2·cosine) for tensors of nearly one length.
class Distances {
 public:
  /// `theirs` tells PyTorch's distance by the tensor's name.
  void add(std::span<const ParityRow> rows, const nlohmann::json& theirs) {
    for (const ParityRow& row : rows) {
      if (!theirs.contains(row.name)) continue;
      const auto distance = theirs[row.name].get<double>();
      Squares& both = squares_[row.name];
      both.ours += std::max(0.0, 2 - 2 * row.cosine);
      both.theirs += distance * distance;
    }
  }
  /// Each tensor is at most `times` as far as PyTorch's, in the root mean square over all runs that
  /// were added: a few hundred numbers come out nearer or farther by chance.
  void expect_no_farther(double times) const {
    EXPECT_GE(squares_.size(), 5U);
    for (const auto& [name, both] : squares_) {
      EXPECT_LE(std::sqrt(both.ours), times * std::sqrt(both.theirs)) << name;
    }
  }

 private:
  struct Squares {
    double ours = 0;
    double theirs = 0;
  };
  std::map<std::string, Squares> squares_{};
};

}  // namespace stamp::test
