// SPDX-License-Identifier: Apache-2.0
// A call of attention with operands of its own, for the kernels that are walked on the host.
#pragma once

#include <algorithm>
#include <cuda/bodies.hpp>
#include <limits>
#include <random>
#include <vector>

namespace stamp::test {

/// One call; queries, keys and values stand side by side in rows of one matrix each, as after a
/// fused product.
class StridedCall {
 public:
  StridedCall(Index rows, Index keys, Index heads, Index kv_heads, Index dim, cuda::MaskRule mask)
      : width_((heads + 2 * kv_heads) * dim + 8),
        numbers_(static_cast<std::size_t>(std::max(rows, keys) * width_)),
        y_(static_cast<std::size_t>(rows * heads * dim)),
        call{{y_.data(), rows, heads, dim, heads * dim},
             {numbers_.data(), rows, heads, dim, width_},
             {numbers_.data() + heads * dim, keys, kv_heads, dim, width_},
             {numbers_.data() + (heads + kv_heads) * dim, keys, kv_heads, dim, width_},
             0.15F,
             mask} {
    redraw({0, std::max(rows, keys)}, {0, width_});
  }
  [[nodiscard]] std::vector<float> run(cuda::AttendKernel kernel, Index parts) {
    std::ranges::fill(y_, bfloat16(std::numeric_limits<float>::quiet_NaN()));
    walked::attend(call, kernel, parts);
    std::vector<float> found;
    for (const bfloat16 number : y_) found.push_back(widen(number));
    return found;
  }
  /// Keys and values of one row become NaN.
  void spoil(Index row) {
    for (Index at = call.y.heads * call.y.dim; at < width_; ++at) {
      numbers_[static_cast<std::size_t>(row * width_ + at)] =
          bfloat16(std::numeric_limits<float>::quiet_NaN());
    }
  }

  /// Become other numbers.
  void redraw_queries(KeyRange rows) { redraw(rows, {0, query_width()}); }
  void redraw_keys_and_values(KeyRange rows) { redraw(rows, {query_width(), width_}); }

 private:
  [[nodiscard]] Index query_width() const { return call.y.heads * call.y.dim; }
  void redraw(KeyRange rows, KeyRange columns) {
    for (Index row = rows.begin; row < rows.end; ++row) {
      for (Index at = columns.begin; at < columns.end; ++at) {
        numbers_[static_cast<std::size_t>(row * width_ + at)] =
            bfloat16(static_cast<float>(random_()) * 0x1p-31F - 1);
      }
    }
  }

  std::mt19937 random_{7};
  Index width_;
  std::vector<bfloat16> numbers_;
  std::vector<bfloat16> y_;

 public:
  cuda::AttendCall<bfloat16> call;
};

}  // namespace stamp::test
