// SPDX-License-Identifier: Apache-2.0
// Shared memory as instructions address it: 32-bit numbers of bytes, with swizzles that depend on
// the address. Both are written down here a second time, from NVIDIA's PTX manual.
#pragma once

#include <cstdint>
#include <cstring>
#include <fibers/fibers.hpp>
#include <new>
#include <vector>

namespace stamp::test::fibers {

/// A block's shared memory, full of NaN at first. What threads write there is seen by products only
/// after it was published (fence.proxy.async); what copies bring is seen by all.
class SharedMemory {
 public:
  static constexpr std::size_t alignment = 1024;
  static constexpr std::uint32_t first_address = 3 * 1024;

  explicit SharedMemory(std::size_t bytes)
      : seen_by_products_(bytes),
        memory_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}))) {
    reset();
    current = this;
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  SharedMemory(SharedMemory&&) = delete;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory() {
    ::operator delete(memory_, std::align_val_t{alignment});
    current = nullptr;
  }

  void reset() {
    std::memset(memory_, 0xff, seen_by_products_.size());
    std::memset(seen_by_products_.data(), 0xff, seen_by_products_.size());
    published_ = false;
  }
  [[nodiscard]] std::byte* data() const { return memory_; }
  [[nodiscard]] std::uint32_t address(const void* place) const {
    const auto offset = static_cast<const std::byte*>(place) - memory_;
    if (offset < 0 || static_cast<std::size_t>(offset) >= seen_by_products_.size()) {
      complain("a place that is not in shared memory");
    }
    return first_address + static_cast<std::uint32_t>(offset);
  }

  /// One thread's fence; its writes are not told from those of others.
  void publish() { published_ = true; }
  /// A number that a copy brings.
  void bring(std::uint32_t address, std::uint16_t number) {
    if (!holds(address)) return;
    std::memcpy(memory_ + (address - first_address), &number, 2);
    std::memcpy(seen_by_products_.data() + (address - first_address), &number, 2);
  }
  /// A number that a product reads; NaN outside.
  [[nodiscard]] std::uint16_t read(std::uint32_t address) {
    if (!holds(address)) return 0xffff;
    if (published_) {
      std::memcpy(seen_by_products_.data(), memory_, seen_by_products_.size());
      published_ = false;
    }
    const std::byte* const place = memory_ + (address - first_address);
    if (std::memcmp(seen_by_products_.data() + (address - first_address), place, 2) != 0) {
      complain("a product of numbers that were written and not published");
    }
    std::uint16_t number = 0;
    std::memcpy(&number, place, 2);
    return number;
  }

  static inline SharedMemory* current = nullptr;

 private:
  [[nodiscard]] bool holds(std::uint32_t address) const {
    if (address >= first_address && address - first_address + 2 <= seen_by_products_.size()) {
      return true;
    }
    complain("an address outside of shared memory");
    return false;
  }

  std::vector<std::byte> seen_by_products_;
  std::byte* memory_;
  bool published_ = false;
};

/// 128 bytes: bits 7, 8 and 9 of an address are added, without carry, to its bits 4, 5 and 6.
[[nodiscard]] inline std::uint32_t swizzled_128(std::uint32_t address) {
  const std::uint32_t row = address / 128 % 8;
  const std::uint32_t piece = address / 16 % 8;
  return address - piece * 16 + (piece ^ row) * 16;
}
/// 32 bytes: bit 7 to bit 4.
[[nodiscard]] inline std::uint32_t swizzled_32(std::uint32_t address) {
  return address / 128 % 2 == 0 ? address : address / 16 % 2 == 0 ? address + 16 : address - 16;
}

}  // namespace stamp::test::fibers
