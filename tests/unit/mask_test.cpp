// SPDX-License-Identifier: Apache-2.0
// Mask policies against boolean matrices written from the sentence of the paper.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stamp/ops/mask.hpp>
#include <vector>

namespace {

using namespace stamp;

/// Every query of `rows` sees exactly the keys that `allowed(query, key)` names.
template <MaskPolicy Mask, class Allowed>
void expect_matrix(Mask mask, Index rows, Index keys, const Allowed& allowed) {
  for (Index query = 0; query < rows; ++query) {
    const Visible visible = mask.visible(query);
    ASSERT_LE(visible.history.begin, visible.history.end);
    ASSERT_LE(visible.own.begin, visible.own.end);
    ASSERT_LE(std::max(visible.history.end, visible.own.end), std::max<Index>(keys, 0));
    if (visible.own.size() > 0) {
      ASSERT_LE(visible.history.end, visible.own.begin);
    }
    Index count = 0;
    for (Index key = 0; key < keys; ++key) {
      ASSERT_EQ(visible.sees(key), allowed(query, key)) << "query " << query << ", key " << key;
      count += allowed(query, key) ? 1 : 0;
    }
    ASSERT_EQ(visible.history.size() + visible.own.size(), count);
  }
}

TEST(Mask, CausalSeesItselfAndWhatIsBefore) {
  for (const Index history : {0, 1, 9}) {
    expect_matrix(Causal{history}, 7, history + 7,
                  [&](Index query, Index key) { return key <= history + query; });
  }
}

TEST(Mask, BidirectionalSeesAll) {
  expect_matrix(Bidirectional{6}, 9, 6, [](Index, Index) { return true; });
}

TEST(Mask, HybridIsThePapersRule) {
  // allowed(q, k) = k <= q, or q is a mask token; keys are [history | masks].
  for (Index history = 0; history < 6; ++history) {
    for (Index masks = 0; masks < 6; ++masks) {
      expect_matrix(HybridMask{history, masks}, history + masks, history + masks,
                    [&](Index query, Index key) { return key <= query || query >= history; });
    }
  }
}

TEST(Mask, EqualBlocksStayInsideTheBlock) {
  for (const Index size : {1, 4, 9}) {
    expect_matrix(EqualBlocks{size}, 3 * size, 3 * size,
                  [&](Index query, Index key) { return query / size == key / size; });
  }
}

TEST(Mask, BlockDiagonalStaysInsideTheImage) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int32_t> boundaries{0};
    std::vector<int> image_of;
    const auto images = 1 + static_cast<int>(random() % 6);
    for (int image = 0; image < images; ++image) {
      const auto length = static_cast<int>(random() % 5);  // empty ones, too
      image_of.insert(image_of.end(), static_cast<std::size_t>(length), image);
      boundaries.push_back(boundaries.back() + length);
    }
    const auto count = static_cast<Index>(image_of.size());
    expect_matrix(BlockDiagonal{boundaries.data(), images}, count, count,
                  [&](Index query, Index key) {
                    return image_of[static_cast<std::size_t>(query)] ==
                           image_of[static_cast<std::size_t>(key)];
                  });
  }
}

TEST(Mask, MaskRowsAreTheMaskRowsOfTheHybridMask) {
  for (Index history = 0; history < 5; ++history) {
    for (Index later = 0; later < 3; ++later) {  // what the dialogue said after <|seg|>
      const Index first = history + later;
      expect_matrix(MaskRows{history, first, 4}, 4, first + 4, [&](Index query, Index key) {
        if (key >= history && key < first) return false;
        const Index uncached_key = key < history ? key : key - later;
        return HybridMask{history, 4}.visible(history + query).sees(uncached_key);
      });
    }
  }
}

TEST(Mask, MaskBlocksAreMaskRowsOfEachObject) {
  const std::vector<std::int32_t> histories{7, 2, 0, 7};
  constexpr Index first = 9;
  constexpr Index masks = 3;
  const auto objects = static_cast<Index>(histories.size());
  expect_matrix(MaskBlocks{histories.data(), first, masks}, objects * masks,
                first + objects * masks, [&](Index query, Index key) {
                  const Index object = query / masks;
                  if (key < first) return key < histories[static_cast<std::size_t>(object)];
                  return (key - first) / masks == object;
                });
}

TEST(Mask, PoliciesAreTriviallyCopyableAndConstant) {
  static_assert(MaskPolicy<Causal> && MaskPolicy<Bidirectional> && MaskPolicy<BlockDiagonal> &&
                MaskPolicy<EqualBlocks> && MaskPolicy<HybridMask> && MaskPolicy<MaskRows> &&
                MaskPolicy<MaskBlocks>);
  static_assert(HybridMask{3, 2}.visible(3).sees(4));
  static_assert(!HybridMask{3, 2}.visible(2).sees(3));
  static_assert(!MaskPolicy<int>);
}

}  // namespace
