// SPDX-License-Identifier: Apache-2.0
// Memory for packed weights: aligned, and in huge pages where the kernel gives them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stamp/tensor/check.hpp>

namespace stamp::cpu {

/// Bytes aligned to 64, or to 2 MiB where they fill such pages. Not initialised.
class Buffer {
  struct Free {
    std::size_t alignment;
    void operator()(std::byte* bytes) const {
      ::operator delete[](bytes, std::align_val_t{alignment});
    }
  };

 public:
  Buffer() = default;
  explicit Buffer(Index bytes) {
    constexpr std::size_t huge = std::size_t{2} << 20U;
    const auto size = static_cast<std::size_t>(bytes);
    const std::size_t alignment = size >= 4 * huge ? huge : 64;
    bytes_ = std::unique_ptr<std::byte[], Free>(
        static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment})),
        Free{alignment});
    if (alignment == huge) (void)::madvise(bytes_.get(), size, MADV_HUGEPAGE);  // advice only
  }

  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(bytes_.get());
  }

 private:
  std::unique_ptr<std::byte[], Free> bytes_{nullptr, Free{64}};
};

/// Gives back the whole pages of a file's map within `bytes`: they leave this process, stay in the
/// page cache, and come again when they are read. Advice only.
inline void give_back_pages(const std::byte* bytes, Index count) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(bytes);
  const std::uintptr_t first = (address + page - 1) / page * page;
  const std::uintptr_t last = (address + static_cast<std::uintptr_t>(count)) / page * page;
  if (first >= last) return;
  (void)::madvise(const_cast<std::byte*>(bytes) + (first - address), last - first, MADV_DONTNEED);
}

}  // namespace stamp::cpu
