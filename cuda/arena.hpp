// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a device, handed out upwards and given back when a frame ends: stamp::Arena
// over memory that the host cannot touch. Plain host logic.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp::cuda {

/// A stack of bytes in blocks of a Source: `std::byte* allocate(std::size_t)` (throws when there
/// is none), `void release(std::byte*) noexcept`, `void poison(std::byte*, std::size_t)`, which
/// debug builds call on what a frame gives back. One thread only.
template <class Source>
class Arena {
 public:
  static constexpr std::size_t alignment = 256;  ///< what device allocations have

  /// Gives back, at its end, everything that was allocated since it was made.
  class Frame {
   public:
    explicit Frame(Arena& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    Frame(Frame&&) = delete;
    Frame& operator=(Frame&&) = delete;
    ~Frame() { arena_.rewind(block_, used_); }

   private:
    Arena& arena_;
    std::size_t block_;
    std::size_t used_;
  };

  explicit Arena(Source source) : source_(source) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Arena(Arena&&) = delete;
  Arena& operator=(Arena&&) = delete;
  ~Arena() {
    for (const Block& block : blocks_) source_.release(block.bytes);
  }

  /// Room for `count` values of T, aligned to `alignment`, not initialised.
  template <class T>
  [[nodiscard]] T* allocate(Index count) {
    const Index bytes = checked_multiply(count, static_cast<Index>(sizeof(T)), "cuda::Arena");
    return reinterpret_cast<T*>(take(static_cast<std::size_t>(bytes)));
  }

  /// Bytes that the arena holds, used or not.
  [[nodiscard]] std::size_t capacity() const {
    std::size_t sum = 0;
    for (const Block& block : blocks_) sum += block.size;
    return sum;
  }

 private:
  struct Block {
    std::byte* bytes = nullptr;
    std::size_t size = 0;
  };

  std::byte* take(std::size_t bytes) {
    const std::size_t needed = (bytes + alignment - 1) / alignment * alignment;
    while (block_ < blocks_.size() && used_ + needed > blocks_[block_].size) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const std::size_t size = std::max({needed, capacity(), smallest_block});
      blocks_.reserve(blocks_.size() + 1);
      blocks_.push_back({source_.allocate(size), size});
      used_ = 0;
    }
    std::byte* const start = blocks_[block_].bytes + used_;
    used_ += needed;
    return start;
  }

  void rewind(std::size_t block, std::size_t used) noexcept {
#ifndef NDEBUG
    for (std::size_t at = block; at < blocks_.size() && at <= block_; ++at) {
      const std::size_t begin = at == block ? used : 0;
      const std::size_t end = at == block_ ? used_ : blocks_[at].size;
      if (end > begin) source_.poison(blocks_[at].bytes + begin, end - begin);
    }
#endif
    block_ = block;
    used_ = used;
  }

  static constexpr std::size_t smallest_block = std::size_t{8} << 20U;
  Source source_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

}  // namespace stamp::cuda
