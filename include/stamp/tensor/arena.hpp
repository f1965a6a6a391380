// SPDX-License-Identifier: Apache-2.0
// Scratch memory that is handed out upwards and given back all at once when a frame ends.
// After the first pass over a model every later pass of the same size allocates nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp {

/// Where an arena takes its blocks from. Another source, a device's memory, offers the same five.
struct HostMemory {
  static constexpr std::size_t alignment = 64;  ///< a cache line, and the widest vector register
  static constexpr std::size_t smallest_block = std::size_t{1} << 20U;

  /// Throws when there is none.
  static std::byte* allocate(std::size_t bytes) {
    return static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{alignment}));
  }
  static void release(std::byte* bytes) noexcept {
    ::operator delete[](bytes, std::align_val_t{alignment});
  }
  /// All bits set is a NaN in every element type: what is read after its frame shows itself. Debug
  /// builds call it on what a frame gives back.
  static void poison(std::byte* bytes, std::size_t count) noexcept {
    std::memset(bytes, 0xff, count);
  }
};

/// A stack of bytes in blocks that are never given back before the arena ends. One thread only.
template <class Source>
class ArenaOf {
 public:
  static constexpr std::size_t alignment = Source::alignment;

  /// Gives back, at its end, everything that was allocated since it was made.
  class Frame {
   public:
    explicit Frame(ArenaOf& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    Frame(Frame&&) = delete;
    Frame& operator=(Frame&&) = delete;
    ~Frame() { arena_.rewind(block_, used_); }

   private:
    ArenaOf& arena_;
    std::size_t block_;
    std::size_t used_;
  };

  explicit ArenaOf(Source source = {}) : source_(source) {}
  ArenaOf(const ArenaOf&) = delete;
  ArenaOf& operator=(const ArenaOf&) = delete;
  ArenaOf(ArenaOf&&) = delete;
  ArenaOf& operator=(ArenaOf&&) = delete;
  ~ArenaOf() {
    for (const Block& block : blocks_) source_.release(block.bytes);
  }

  /// Room for `count` values of T, aligned to `alignment`, not initialised.
  template <class T>
  [[nodiscard]] T* allocate(Index count) {
    const Index bytes = checked_multiply(count, static_cast<Index>(sizeof(T)), "Arena");
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
      const std::size_t size = std::max({needed, capacity(), Source::smallest_block});
      blocks_.reserve(blocks_.size() + 1);  // so that no block is lost when this throws
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

  Source source_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

using Arena = ArenaOf<HostMemory>;

}  // namespace stamp
