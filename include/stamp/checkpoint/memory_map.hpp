// SPDX-License-Identifier: Apache-2.0
// A file's bytes as memory, read-only. Weights are views into such maps, so that a checkpoint
// opens at once and its pages are shared between processes and given back under pressure.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <stamp/checkpoint/regular_file.hpp>
#include <utility>

namespace stamp::checkpoint {

/// Where a live map lies; read by the signal handler of map_fault.hpp, hence plain and fixed.
struct MappedRange {
  std::atomic<std::uintptr_t> begin{0};  ///< 0: free slot
  std::atomic<std::uintptr_t> end{0};
  std::array<char, 512> path{};
};

/// Maps beyond the table's size work but are not named when they fault.
inline std::array<MappedRange, 256> mapped_ranges;

/// How the pages will be used: advice to the kernel.
enum class Access { sequential, random, soon };

/// Owns the map and the open file below it. Moving keeps the addresses.
///
/// If another process truncates the file, touching a lost page raises SIGBUS, which no reader can
/// prevent. `check_unchanged` after loading finds a file that was replaced in place; programs may
/// install `report_map_faults` (map_fault.hpp) to die with a sentence. Writers that rename, as
/// ours do, never truncate a mapped file.
class MemoryMap {
 public:
  /// Throws Error{input} as RegularFile does, Error{resource} when address space is short.
  explicit MemoryMap(RegularFile file);
  MemoryMap(MemoryMap&& other) noexcept
      : file_(std::move(other.file_)),
        data_(std::exchange(other.data_, nullptr)),
        range_(std::exchange(other.range_, nullptr)) {}
  MemoryMap& operator=(MemoryMap&&) = delete;
  ~MemoryMap() {
    if (range_ != nullptr) range_->begin = 0;
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), file_.size());
  }

  [[nodiscard]] std::span<const std::byte> bytes() const;
  [[nodiscard]] const RegularFile& file() const { return file_; }
  void check_unchanged() const { file_.check_unchanged(); }

  /// Advice only; a kernel that refuses it changes nothing.
  void expect(Access access) const;

 private:
  void enlist();

  RegularFile file_;
  const std::byte* data_ = nullptr;
  MappedRange* range_ = nullptr;
};

}  // namespace stamp::checkpoint
