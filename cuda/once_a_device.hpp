// SPDX-License-Identifier: Apache-2.0
// Remembers on which devices something has been done that holds for one device alone.
#pragma once

#include <atomic>
#include <cstdint>

namespace stamp::cuda {

/// Any thread. A kernel's permissions belong to a device's context, so that one flag a process
/// would leave every other device without them.
class OnceADevice {
 public:
  /// do_it() unless it has returned before for the device of that ordinal; what throws is done
  /// again. Two threads at once may both do it, and so does every call for ordinals from 64 on: it
  /// has to be something that may be repeated.
  template <class Do>
  void operator()(int ordinal, const Do& do_it) {
    constexpr int remembered = 64;
    const std::uint64_t bit = ordinal >= 0 && ordinal < remembered
                                  ? std::uint64_t{1} << static_cast<unsigned>(ordinal)
                                  : 0;
    if ((done_.load(std::memory_order_acquire) & bit) != 0) return;
    do_it();
    done_.fetch_or(bit, std::memory_order_release);
  }

 private:
  std::atomic<std::uint64_t> done_{0};
};

}  // namespace stamp::cuda
