// SPDX-License-Identifier: Apache-2.0
// Shared memory as instructions address it: 32-bit numbers of bytes, with swizzles that depend on
// the address. Both are written down here a second time, from NVIDIA's PTX manual.
#pragma once

#include <cstdint>
#include <cstring>
#include <fibers/fibers.hpp>
#include <memory>
#include <new>

namespace stamp::test::fibers {

/// A block's shared memory, full of NaN at first.
class SharedMemory {
 public:
  static constexpr std::size_t alignment = 1024;
  static constexpr std::uint32_t first_address = 3 * 1024;

  explicit SharedMemory(std::size_t bytes)
      : bytes_(bytes),
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

  void reset() { std::memset(memory_, 0xff, bytes_); }
  [[nodiscard]] std::byte* data() const { return memory_; }
  [[nodiscard]] std::uint32_t address(const void* place) const {
    const auto offset = static_cast<const std::byte*>(place) - memory_;
    if (offset < 0 || static_cast<std::size_t>(offset) >= bytes_) {
      complain("a place that is not in shared memory");
    }
    return first_address + static_cast<std::uint32_t>(offset);
  }
  /// The two bytes at an address; NaN outside.
  [[nodiscard]] std::byte* at(std::uint32_t address) {
    if (address < first_address || address - first_address + 2 > bytes_) {
      complain("an address outside of shared memory");
      std::memset(outside_, 0xff, sizeof(outside_));
      return outside_;
    }
    return memory_ + (address - first_address);
  }

  static inline SharedMemory* current = nullptr;

 private:
  std::size_t bytes_;
  std::byte* memory_;
  std::byte outside_[2]{};
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
