// SPDX-License-Identifier: Apache-2.0
// What a thread of the matrix kernels knows of one of its query rows: the keys that it sees.
#pragma once

#include <stamp/ops/mask.hpp>

namespace stamp::cuda {

struct RowIntervals {
  int history_begin, history_end, own_begin, own_end;
  __device__ explicit RowIntervals(const Visible& seen)
      : history_begin(static_cast<int>(seen.history.begin)),
        history_end(static_cast<int>(seen.history.end)),
        own_begin(static_cast<int>(seen.own.begin)),
        own_end(static_cast<int>(seen.own.end)) {}
  [[nodiscard]] __device__ bool sees(int key) const {
    // No branches: every thread asks for every one of its scores.
    const bool history = (key >= history_begin) & (key < history_end);
    const bool own = (key >= own_begin) & (key < own_end);
    return history | own;
  }
  [[nodiscard]] __device__ bool sees_all(int begin, int end) const {
    return (begin >= history_begin && end <= history_end) || (begin >= own_begin && end <= own_end);
  }
};

}  // namespace stamp::cuda
