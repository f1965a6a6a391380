// SPDX-License-Identifier: Apache-2.0
// Scratch memory: frames give back, nothing overlaps, a second pass allocates nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <stamp/tensor/arena.hpp>

namespace {

using namespace stamp;

TEST(Arena, AllocationsAreAlignedAndApart) {
  Arena arena;
  char* previous_end = nullptr;
  for (const Index count : {1, 63, 64, 65, 1000}) {
    char* start = arena.allocate<char>(count);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(start) % Arena::alignment, 0U);
    if (previous_end != nullptr) {
      EXPECT_GE(start, previous_end);
    }
    previous_end = start + count;
  }
}

TEST(Arena, AFrameGivesBackWhatWasTakenInIt) {
  Arena arena;
  const float* before = arena.allocate<float>(10);
  const float* inside = nullptr;
  {
    const Arena::Frame frame(arena);
    inside = arena.allocate<float>(10);
    EXPECT_NE(inside, before);
  }
  EXPECT_EQ(arena.allocate<float>(10), inside);
}

TEST(Arena, OuterNumbersSurviveInnerFramesThatNeedNewBlocks) {
  Arena arena;
  auto* outer = arena.allocate<std::int32_t>(1000);
  for (Index at = 0; at < 1000; ++at) outer[at] = static_cast<std::int32_t>(at);
  for (int round = 0; round < 3; ++round) {
    const Arena::Frame frame(arena);
    auto* inner = arena.allocate<std::int32_t>(Index{1} << 20U);
    inner[0] = inner[(Index{1} << 20U) - 1] = -1;
  }
  for (Index at = 0; at < 1000; ++at) ASSERT_EQ(outer[at], at);
}

TEST(Arena, AFrameThatNeededNewBlocksReturnsToItsOwn) {
  Arena arena;
  const auto next = [&] {
    const Arena::Frame frame(arena);
    return arena.allocate<float>(10);
  };
  const float* before = next();
  {
    const Arena::Frame frame(arena);
    (void)arena.allocate<float>(Index{1} << 20U);
  }
  EXPECT_EQ(next(), before);
}

/// A pass with frames in frames and sizes from bytes to megabytes.
void pass(Arena& arena, std::mt19937& random, int depth) {
  const Arena::Frame frame(arena);
  for (int step = 0; step < 4; ++step) {
    const auto count = static_cast<Index>(random() % (step == 2 ? 900000 : 900));
    auto* numbers = arena.allocate<double>(count + 1);
    numbers[0] = numbers[count] = 1;
    if (depth > 0) pass(arena, random, depth - 1);
  }
}

TEST(Arena, ASecondPassOfTheSameSizesAllocatesNothing) {
  Arena arena;
  std::mt19937 first(5);
  pass(arena, first, 3);
  const std::size_t warm = arena.capacity();
  for (int round = 0; round < 3; ++round) {
    std::mt19937 again(5);
    pass(arena, again, 3);
    EXPECT_EQ(arena.capacity(), warm);
  }
}

TEST(Arena, SizesThatOverflowAreRefused) {
  Arena arena;
  EXPECT_THROW((void)arena.allocate<double>(Index{1} << 61U), Error);
  EXPECT_THROW((void)arena.allocate<double>(-1), Error);
  EXPECT_NE(arena.allocate<double>(0), nullptr);
}

TEST(Arena, DebugBuildsPoisonWhatIsGivenBack) {
#ifdef NDEBUG
  GTEST_SKIP() << "release build: freed scratch is not poisoned";
#else
  Arena arena;
  const float* freed = nullptr;
  const float* far = nullptr;
  {
    const Arena::Frame frame(arena);
    float* numbers = arena.allocate<float>(8);
    for (Index at = 0; at < 8; ++at) numbers[at] = 1;
    freed = numbers;
    float* other_block = arena.allocate<float>(Index{1} << 20U);
    other_block[(Index{1} << 20U) - 1] = 1;
    far = other_block;
  }
  for (Index at = 0; at < 8; ++at) EXPECT_TRUE(std::isnan(freed[at]));
  EXPECT_TRUE(std::isnan(far[(Index{1} << 20U) - 1]));
#endif
}

}  // namespace
