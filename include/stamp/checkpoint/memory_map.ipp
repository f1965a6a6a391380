// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/memory_map.hpp>.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stamp/checkpoint/memory_map.hpp>

namespace stamp::checkpoint {

MemoryMap::MemoryMap(RegularFile file) : file_(std::move(file)) {
  if (file_.size() == 0) return;  // mmap refuses empty files
  void* address = ::mmap(nullptr, file_.size(), PROT_READ, MAP_PRIVATE, file_.descriptor(), 0);
  if (address == MAP_FAILED) {
    const int cause = errno;
    fail(cause == ENOMEM ? Fault::resource : Fault::input,
         shown(file_.path()) + ": cannot be mapped, " + std::strerror(cause) + ", needs " +
             std::to_string(file_.size()) + " bytes of address space");
  }
  data_ = static_cast<const std::byte*>(address);
  enlist();
}

std::span<const std::byte> MemoryMap::bytes() const {
  return {data_, data_ == nullptr ? 0 : file_.size()};
}

void MemoryMap::expect(Access access) const {
  if (data_ == nullptr) return;
  const int advice = access == Access::sequential ? MADV_SEQUENTIAL
                     : access == Access::random   ? MADV_RANDOM
                                                  : MADV_WILLNEED;
  (void)::madvise(const_cast<std::byte*>(data_), file_.size(), advice);
}

void MemoryMap::enlist() {
  const auto begin = reinterpret_cast<std::uintptr_t>(data_);
  for (MappedRange& range : mapped_ranges) {
    std::uintptr_t free = 0;
    // 1 reserves the slot: no map begins there, and the handler sees an empty range.
    if (!range.begin.compare_exchange_strong(free, 1)) continue;
    const std::string path = shown(file_.path());
    const std::size_t length = std::min(path.size(), range.path.size() - 1);
    std::memcpy(range.path.data(), path.data(), length);
    range.path[length] = '\0';
    range.end = begin + file_.size();
    range.begin = begin;
    range_ = &range;
    return;
  }
}

}  // namespace stamp::checkpoint
