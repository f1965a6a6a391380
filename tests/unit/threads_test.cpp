// SPDX-License-Identifier: Apache-2.0
// The reference backend's threads: every index once, exceptions come back, no round is lost.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stamp/reference/threads.hpp>
#include <string>
#include <vector>

namespace {

using namespace stamp;
using reference::Threads;

TEST(Threads, EveryIndexRunsOnce) {
  for (const Index count : {1, 2, 5}) {
    Threads threads(count);
    EXPECT_EQ(threads.count(), count);
    for (const Index iterations : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> ran(static_cast<std::size_t>(iterations));
      threads.for_each(iterations, [&](Index at) { ++ran[static_cast<std::size_t>(at)]; });
      for (const auto& times : ran) ASSERT_EQ(times, 1);
    }
  }
}

TEST(Threads, ManyShortRoundsFollowEachOther) {
  Threads threads(4);
  std::int64_t expected = 0;
  std::atomic<std::int64_t> sum = 0;
  for (Index round = 0; round < 3000; ++round) {
    const Index iterations = round % 7;
    threads.for_each(iterations, [&](Index at) { sum += round + at; });
    for (Index at = 0; at < iterations; ++at) expected += round + at;
    ASSERT_EQ(sum, expected);
  }
}

TEST(Threads, SeveralThreadsTakePart) {
  Threads threads(3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::atomic<int> arrived = 0;
  threads.for_each(3, [&](Index) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();  // ends only when three run at the same time
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 3U);
}

TEST(Threads, AnExceptionComesBackAndTheThreadsGoOn) {
  for (const Index count : {1, 3}) {
    Threads threads(count);
    for (int round = 0; round < 20; ++round) {
      try {
        threads.for_each(100, [](Index at) {
          if (at % 10 == 7) fail(Fault::usage, "iteration " + std::to_string(at));
        });
        FAIL() << "no error";
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).substr(0, 10), "iteration ");
      }
      std::atomic<int> ran = 0;
      threads.for_each(50, [&](Index) { ++ran; });
      EXPECT_EQ(ran, 50);
    }
  }
}

TEST(Threads, AnErrorLeavesLaterIterationsUndone) {
  Threads threads(2);
  std::atomic<int> ran = 0;
  EXPECT_THROW(threads.for_each(1000000,
                                [&](Index) {
                                  ++ran;
                                  fail(Fault::failure, "stop");
                                }),
               Error);
  EXPECT_LE(ran, 2);
}

}  // namespace
