// SPDX-License-Identifier: Apache-2.0
// A fixed set of threads that share the iterations of one loop at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stamp/tensor/check.hpp>
#include <thread>
#include <vector>

namespace stamp::reference {

/// `for_each(count, body)` runs body(0) … body(count-1), each once, on all threads, and returns
/// when all have ended; the first exception of a body is rethrown. Called from one thread only.
class Threads {
 public:
  /// `count` threads in all, the caller's included.
  explicit Threads(Index count) {
    for (Index extra = 1; extra < count; ++extra) {
      workers_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
    }
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  Threads(Threads&&) = delete;
  Threads& operator=(Threads&&) = delete;
  ~Threads() {
    for (auto& worker : workers_) worker.request_stop();
    wake_.notify_all();
  }

  [[nodiscard]] Index count() const { return static_cast<Index>(workers_.size()) + 1; }

  template <class Body>
  void for_each(Index iterations, const Body& body) {
    if (iterations <= 1 || workers_.empty()) {
      for (Index at = 0; at < iterations; ++at) body(at);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      body_ = std::ref(body);
      iterations_ = iterations;
      next_ = 0;
      busy_ = static_cast<Index>(workers_.size());
      error_ = nullptr;
      ++round_;
    }
    wake_.notify_all();
    work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void serve(const std::stop_token& stop) {
    Index seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [&] { return round_ != seen; })) return;
        seen = round_;
      }
      work();
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void work() {
    for (;;) {
      const Index at = next_.fetch_add(1);
      if (at >= iterations_) return;
      try {
        body_(at);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_ = iterations_;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  std::function<void(Index)> body_;
  std::atomic<Index> next_{0};
  Index iterations_ = 0;
  Index busy_ = 0;
  Index round_ = 0;
  std::exception_ptr error_;
  std::vector<std::jthread> workers_;  // last: ends before what it uses
};

}  // namespace stamp::reference
