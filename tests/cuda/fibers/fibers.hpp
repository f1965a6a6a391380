// SPDX-License-Identifier: Apache-2.0
// One thread block on the host: every thread is a fiber that runs until it has to wait for others.
// Device code that speaks of threadIdx, barriers and warps is compiled as it stands.
#pragma once

#include <ucontext.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

// The words of CUDA's C++ that device code uses.
#define __device__
#define __forceinline__ inline

namespace stamp::test::fibers {

struct Three {
  unsigned x = 0, y = 0, z = 0;
};

/// What device code did that the manual forbids, though its results may be right; tests expect
/// none.
inline std::vector<std::string> complaints;
inline void complain(const std::string& what) {
  constexpr std::size_t enough = 20;
  if (complaints.size() < enough) complaints.push_back(what);
}

/// Threads that meet: a warp, the block, or as many as a numbered barrier is told.
struct Group {
  int size = 0;
  int arrived = 0;
  int generation = 0;
};

class Block {
 public:
  static constexpr std::size_t stack_bytes = std::size_t{256} << 10U;

  /// Threads take turns, one after the other; or a warp goes as far as it can when it has a turn,
  /// and misses every second turn, as a generator of fixed numbers says.
  bool uneven = false;

  /// Runs body() as `threads` threads, a multiple of 32.
  void run(int threads, const std::function<void()>& body) {
    body_ = &body;
    threads_.resize(static_cast<std::size_t>(threads));
    block_ = {threads};
    numbered_.clear();
    warps_.assign(static_cast<std::size_t>(threads) / 32, {32});
    words_.assign(static_cast<std::size_t>(threads), {});
    current_block = this;
    for (Thread& thread : threads_) {
      thread.done = false;
      if (!thread.stack) thread.stack = std::make_unique<std::byte[]>(stack_bytes);
      getcontext(&thread.context);
      thread.context.uc_stack.ss_sp = thread.stack.get();
      thread.context.uc_stack.ss_size = stack_bytes;
      thread.context.uc_link = &scheduler_;
      makecontext(&thread.context, &Block::enter, 0);
    }
    for (bool any = true; any;) {
      any = false;
      for (std::size_t at = 0; at < warps_.size(); ++at) {
        const std::size_t warp = uneven ? warps_.size() - 1 - at : at;
        if (uneven && random_() % 2 == 0) {
          any = true;
          continue;
        }
        do {
          went_on_ = false;
          any = turn(warp) || any;
        } while (uneven && went_on_);
      }
    }
  }

  [[nodiscard]] unsigned thread() const { return static_cast<unsigned>(now_); }
  void meet_block() { meet(block_); }
  void meet_warp() { meet(warps_[now_ / 32]); }
  /// The last one to come runs last() before anybody goes on.
  template <class Last>
  void meet_warp(const Last& last) {
    meet(warps_[now_ / 32], last);
  }
  void meet_numbered(unsigned number, int threads) {
    Group& group = numbered_[number];
    group.size = threads;
    meet(group);
  }
  /// Lets the others run.
  void yield() {
    const std::size_t me = now_;
    swapcontext(&threads_[me].context, &scheduler_);
  }
  /// Lets the others run until `done()`.
  template <class Done>
  void wait_until(const Done& done) {
    while (!done()) yield();
    went_on_ = true;
  }

  /// Every lane of the warp gives some words and sees everybody's, [lane][word].
  static constexpr std::size_t most_words = 10;
  using Words = std::array<std::uint64_t, most_words>;
  template <class Use>
  void exchange(const Words& mine, const Use& use) {
    words_[now_] = mine;
    meet_warp();
    use(words_.data() + now_ / 32 * 32);
    meet_warp();  // nobody writes the next words before all have read these
  }

  static inline Block* current_block = nullptr;

 private:
  struct Thread {
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack;
    bool done = false;
  };

  /// Every thread of a warp that still runs, once; whether there was one.
  bool turn(std::size_t warp) {
    bool any = false;
    for (std::size_t at = warp * 32; at < (warp + 1) * 32; ++at) {
      if (threads_[at].done) continue;
      any = true;
      now_ = at;
      swapcontext(&scheduler_, &threads_[at].context);
    }
    return any;
  }

  static void enter() {
    Block& block = *current_block;
    (*block.body_)();
    block.threads_[block.now_].done = true;
  }

  void meet(Group& group) {
    meet(group, [] {});
  }
  template <class Last>
  void meet(Group& group, const Last& last) {
    const int generation = group.generation;
    if (++group.arrived == group.size) {
      last();
      group.arrived = 0;
      ++group.generation;
      return;
    }
    wait_until([&] { return group.generation != generation; });
  }

  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  Group block_;
  std::vector<Group> warps_;
  std::map<unsigned, Group> numbered_;
  std::vector<Words> words_;
  ucontext_t scheduler_{};
  std::size_t now_ = 0;
  bool went_on_ = false;
  std::minstd_rand random_;
};

/// threadIdx.x of whoever runs.
struct ThreadIndex {
  struct X {
    operator unsigned() const {  // NOLINT(google-explicit-constructor): it reads as a number
      return Block::current_block->thread();
    }
  } x;
};

}  // namespace stamp::test::fibers

inline stamp::test::fibers::ThreadIndex threadIdx;
inline stamp::test::fibers::Three blockIdx;
inline stamp::test::fibers::Three gridDim;

inline void __syncwarp() { stamp::test::fibers::Block::current_block->meet_warp(); }
inline void __syncthreads() { stamp::test::fibers::Block::current_block->meet_block(); }

inline float __shfl_xor_sync(unsigned, float value, int mask) {
  using stamp::test::fibers::Block;
  float result = 0;
  Block& block = *Block::current_block;
  const unsigned lane = block.thread() % 32;
  block.exchange({std::bit_cast<std::uint32_t>(value)}, [&](const Block::Words* words) {
    result = std::bit_cast<float>(
        static_cast<std::uint32_t>(words[lane ^ static_cast<unsigned>(mask)][0]));
  });
  return result;
}
