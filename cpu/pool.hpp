// SPDX-License-Identifier: Apache-2.0
// The threads of an engine. A token is made of some two hundred short parallel steps, so waiting
// threads first spin; on a busy machine spinning would steal the time that it waits for, so after
// some microseconds they sleep.
#pragma once

#include <immintrin.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <stamp/tensor/check.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace stamp::cpu {

/// `run(count, body)` calls body(task, thread) for task 0 … count-1, each once, and returns when
/// all have ended; `thread` is below count(). The first exception is rethrown. Allocates nothing.
/// Called from one thread at a time.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what threads write stands apart
class Pool {
 public:
  /// `count` threads in all, the caller's included.
  explicit Pool(Index count) {
    try {
      for (Index extra = 1; extra < count; ++extra) {
        workers_.emplace_back([this, extra] { serve(extra); });
      }
    } catch (...) {  // those that did start wait for a round
      dismiss();
      throw;
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  Pool(Pool&&) = delete;
  Pool& operator=(Pool&&) = delete;
  ~Pool() { dismiss(); }

  [[nodiscard]] Index count() const { return static_cast<Index>(workers_.size()) + 1; }

  /// `work` is about how many vector instructions there are in all: what is over before another
  /// thread would have woken is done by the caller alone.
  template <class Body>
  void run(Index tasks, Index work_in_all, const Body& body) {
    if (tasks <= 1 || workers_.empty() || work_in_all < worth_sharing) {
      for (Index task = 0; task < tasks; ++task) body(task, Index{0});
      return;
    }
    context_ = &body;
    call_ = [](const void* context, Index task, Index thread) {
      (*static_cast<const Body*>(context))(task, thread);
    };
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work(0);
    await(busy_, [](std::uint32_t busy) { return busy == 0; });
    if (failed_.exchange(false, std::memory_order_acquire)) {
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  /// Some tens of microseconds: longer than the gap between two steps of a layer.
  static constexpr int spins = 4000;
  /// Some microseconds.
  static constexpr Index worth_sharing = 16384;

  /// A round without a body: workers end.
  void dismiss() {
    call_ = nullptr;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  template <class Done>
  static void await(std::atomic<std::uint32_t>& value, const Done& done) {
    for (;;) {
      std::uint32_t seen = value.load(std::memory_order_acquire);
      for (int spin = 0; spin < spins && !done(seen); ++spin) {
        _mm_pause();
        seen = value.load(std::memory_order_acquire);
      }
      if (done(seen)) return;
      value.wait(seen, std::memory_order_acquire);
    }
  }

  void serve(Index thread) {
    std::uint32_t last = 0;
    for (;;) {
      await(round_, [last](std::uint32_t round) { return round != last; });
      ++last;
      if (call_ == nullptr) return;
      work(thread);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
    }
  }

  void work(Index thread) {
    for (;;) {
      const Index task = next_.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks_) return;
      try {
        call_(context_, task, thread);
      } catch (...) {
        if (!failing_.exchange(true)) {
          error_ = std::current_exception();
          failed_.store(true, std::memory_order_release);
          failing_.store(false);
        }
        next_.store(tasks_, std::memory_order_relaxed);
      }
    }
  }

  void (*call_)(const void*, Index, Index) = nullptr;
  const void* context_ = nullptr;
  Index tasks_ = 0;
  std::exception_ptr error_;
  alignas(64) std::atomic<Index> next_{0};
  alignas(64) std::atomic<std::uint32_t> round_{0};
  alignas(64) std::atomic<std::uint32_t> busy_{0};
  std::atomic<bool> failing_{false};
  std::atomic<bool> failed_{false};
  std::vector<std::jthread> workers_;  // last: ends before what it uses
};

}  // namespace stamp::cpu
