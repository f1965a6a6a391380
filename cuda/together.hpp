// SPDX-License-Identifier: Apache-2.0
// Weights of layers that multiply one input, placed behind one another while they are bound, so
// that one product has the outputs of all.
#pragma once

#include <stamp/cuda/kept.hpp>

namespace stamp::cuda {

/// A block that is handed out piece by piece.
class SharedBlock {
 public:
  /// The next `bytes` of a block of `all`, which the first piece makes. What does not fit into it,
  /// or belongs to a block of another size, gets a block of its own.
  [[nodiscard]] Buffer next(const std::shared_ptr<Device>& device, Index bytes, Index all) {
    if (all_ == 0) {
      block_ = Buffer(device, all);
      all_ = all;
    }
    if (all != all_ || bytes > all - used_) return {device, bytes};
    return block_.place(std::exchange(used_, used_ + bytes));
  }

 private:
  Buffer block_;
  Index used_ = 0;
  Index all_ = 0;
};

/// The layers that are bound next: their matrices, scales and biases in a block each. Without any,
/// everything gets a block of its own.
class Together {
 public:
  Together() = default;
  /// The next `leaves` layers, to `out` outputs between them.
  Together(Index leaves, Index out) : leaves_(leaves), out_(out) {}

  /// A layer begins; behind the last one the blocks belong to the weights alone.
  void next_leaf() {
    if (--leaves_ < 0) *this = {};
  }

  /// Room for numbers of a matrix whose rows have `row` bytes.
  [[nodiscard]] Buffer numbers(const std::shared_ptr<Device>& device, Index bytes, Index row) {
    return piece(numbers_, device, bytes, row);
  }
  /// For one scale, and one bias, of `each` bytes an output.
  [[nodiscard]] Buffer scales(const std::shared_ptr<Device>& device, Index bytes, Index each) {
    return piece(scales_, device, bytes, each);
  }
  [[nodiscard]] Buffer biases(const std::shared_ptr<Device>& device, Index bytes, Index each) {
    return piece(biases_, device, bytes, each);
  }

 private:
  [[nodiscard]] Buffer piece(SharedBlock& block, const std::shared_ptr<Device>& device, Index bytes,
                             Index each) const {
    if (out_ == 0) return {device, bytes};
    return block.next(device, bytes, checked_multiply(out_, each, "weight"));
  }

  Index leaves_ = 0;
  Index out_ = 0;
  SharedBlock numbers_, scales_, biases_;
};

}  // namespace stamp::cuda
