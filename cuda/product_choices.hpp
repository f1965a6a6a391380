// SPDX-License-Identifier: Apache-2.0
// Which algorithm multiplies a shape. The quickest is found by timing, so two searches may end
// differently, and with them the last bits: a process searches once. Included by matmul.cpp only.
#pragma once

#include <cublasLt.h>

#include <map>
#include <mutex>
#include <optional>
#include <stamp/tensor/check.hpp>
#include <utility>

namespace stamp::cuda {

/// What makes two products one shape for the library; alignments are those of the addresses, in
/// bytes, that of a bias that is not there is 0.
struct ProductShape {
  Index rows, out, in, x_stride, y_stride;
  unsigned x_alignment, y_alignment, w_alignment, bias_alignment;
  bool add, brain;
  auto operator<=>(const ProductShape&) const = default;
};

/// An algorithm is plain numbers that every handle of the library takes; null where it has none for
/// the shape.
using ProductAlgorithm = std::optional<cublasLtMatmulAlgo_t>;

/// The choices of all engines of this process. Any thread.
class ProductChoices {
 public:
  [[nodiscard]] static ProductChoices& of_this_process() {
    static ProductChoices choices;
    return choices;
  }

  /// search() runs once a shape and device; whoever else needs a choice waits, so that no search
  /// disturbs the times of another. What it throws is no choice.
  template <class Search>
  [[nodiscard]] ProductAlgorithm choose(int device, const ProductShape& shape,
                                        const Search& search) {
    const std::lock_guard lock(mutex_);
    const std::pair key(device, shape);
    auto found = choices_.find(key);
    if (found == choices_.end()) found = choices_.emplace(key, search()).first;
    return found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int, ProductShape>, ProductAlgorithm> choices_;
};

}  // namespace stamp::cuda
