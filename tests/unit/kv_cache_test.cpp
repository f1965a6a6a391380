// SPDX-License-Identifier: Apache-2.0
// The key/value cache: growth keeps what is there, branches hide and never write.
#include <gtest/gtest.h>

#include <stamp/nn/kv_cache.hpp>
#include <stamp/reference/engine.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;

/// Writes `value`, value + 1, … into the slots from `first` on, keys and values of all layers.
void write(KvCache<Engine>& cache, Index first, Index count, float value) {
  for (Index layer = 0; layer < 2; ++layer) {
    for (auto* tensor : {&cache.layer(layer).keys, &cache.layer(layer).values}) {
      for (Index slot = first; slot < first + count; ++slot) {
        const float sign = tensor == &cache.layer(layer).keys ? 1 : -1;
        tensor->view()[slot][1][2] = sign * (value + static_cast<float>(slot + 100 * layer));
      }
    }
  }
}

void expect(KvCache<Engine>& cache, Index first, Index count, float value) {
  for (Index layer = 0; layer < 2; ++layer) {
    for (Index slot = first; slot < first + count; ++slot) {
      const float number = value + static_cast<float>(slot + 100 * layer);
      ASSERT_EQ(cache.layer(layer).keys.view()[slot][1][2], number);
      ASSERT_EQ(cache.layer(layer).values.view()[slot][1][2], -number);
    }
  }
}

class Cache : public ::testing::Test {
 protected:
  Engine engine{1};
  KvCache<Engine> cache{2, KvHeads{2}, HeadDim{3}};
};

TEST_F(Cache, StartsEmptyAndGrowsByDoubling) {
  EXPECT_EQ(cache.length(), 0);
  EXPECT_EQ(cache.capacity(), 0);
  cache.reserve(engine, 5);
  EXPECT_EQ(cache.capacity(), 5);
  cache.reserve(engine, 4);
  EXPECT_EQ(cache.capacity(), 5);
  cache.reserve(engine, 6);
  EXPECT_EQ(cache.capacity(), 10);
  cache.reserve(engine, 50);
  EXPECT_EQ(cache.capacity(), 50);
}

TEST_F(Cache, GrowthKeepsTheDialogue) {
  cache.reserve(engine, 3);
  write(cache, 0, 3, 7);
  cache.advance(3);
  cache.reserve(engine, 40);
  expect(cache, 0, 3, 7);
  EXPECT_EQ(cache.length(), 3);
}

TEST_F(Cache, ABranchHidesAndScratchStandsBehindTheDialogue) {
  cache.reserve(engine, 10);
  write(cache, 0, 6, 1);
  cache.advance(6);
  EXPECT_EQ(cache.branch(4), 4);
  write(cache, cache.length(), 4, 500);  // a pass that does not advance
  EXPECT_EQ(cache.length(), 6);
  expect(cache, 0, 6, 1);
}

TEST_F(Cache, BranchesStayWithinTheDialogue) {
  cache.reserve(engine, 10);
  cache.advance(6);
  EXPECT_EQ(cache.branch(6), 6);
  EXPECT_EQ(cache.branch(0), 0);
  for (const Index wrong : {-1, 7}) {
    try {
      (void)cache.branch(wrong);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                "KvCache::branch: expected a length up to 6, found " + std::to_string(wrong));
    }
  }
}

TEST_F(Cache, TruncateForgetsTheEndOnly) {
  cache.reserve(engine, 10);
  write(cache, 0, 6, 1);
  cache.advance(6);
  cache.truncate(8);
  EXPECT_EQ(cache.length(), 6);
  cache.truncate(2);
  EXPECT_EQ(cache.length(), 2);
  expect(cache, 0, 2, 1);
}

}  // namespace
