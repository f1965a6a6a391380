// SPDX-License-Identifier: Apache-2.0
// Device memory that is asked for once and then goes round: what is given back is handed out again,
// so that after the first pass of a size the driver is not asked any more. Plain host logic.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <stamp/tensor/check.hpp>

namespace stamp::cuda {

/// Blocks of a Source: `void* allocate(std::size_t)` (null when there is none left) and
/// `void release(void*) noexcept`. All users of one pool work on one stream: a block that is given
/// back may still be read by work queued before, and whoever gets it next queues behind that.
template <class Source>
class Pool {
 public:
  explicit Pool(Source source) : source_(source) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  Pool(Pool&&) = delete;
  Pool& operator=(Pool&&) = delete;
  /// Users that still hold a block must not use it any more.
  ~Pool() {
    trim();
    for (const auto& [block, size] : used_) source_.release(block);
  }

  /// What a request of `bytes` takes: whole multiples of 256, from 1 MiB on of 64 KiB.
  [[nodiscard]] static std::size_t rounded(std::size_t bytes) {
    const std::size_t unit = bytes >= (std::size_t{1} << 20U) ? std::size_t{1} << 16U : 256;
    return bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
  }

  /// The smallest free block that wastes at most a quarter, else a new one; null when the source
  /// has none even after everything free went back to it.
  [[nodiscard]] void* allocate(std::size_t bytes) {
    const std::size_t needed = rounded(bytes);
    const auto fits = free_.lower_bound(needed);
    if (fits != free_.end() && fits->first - needed <= needed / 4) {
      void* const block = fits->second;
      used_.emplace(block, fits->first);
      free_.erase(fits);
      return block;
    }
    void* block = source_.allocate(needed);
    if (block == nullptr) {
      trim();
      block = source_.allocate(needed);
    }
    if (block == nullptr) return nullptr;
    ++requests_;
    used_.emplace(block, needed);
    return block;
  }

  /// Gives a block back; null is nothing.
  void release(void* block) noexcept {
    const auto found = used_.find(block);
    if (found == used_.end()) return;
    try {
      free_.emplace(found->second, block);
    } catch (...) {  // no memory to remember it by
      source_.release(block);
    }
    used_.erase(found);
  }

  /// Everything that is free goes back to the source.
  void trim() noexcept {
    for (const auto& [size, block] : free_) source_.release(block);
    free_.clear();
  }

  /// How often the source gave a block; stands still after warm-up.
  [[nodiscard]] std::size_t requests() const { return requests_; }

 private:
  Source source_;
  std::multimap<std::size_t, void*> free_;
  std::map<void*, std::size_t> used_;
  std::size_t requests_ = 0;
};

}  // namespace stamp::cuda
