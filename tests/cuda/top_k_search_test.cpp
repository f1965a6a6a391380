// SPDX-License-Identifier: Apache-2.0
// How much the search for what top-k keeps finds on the device, walked on the host: a little more
// than is kept, of rows as long as a vocabulary, and when it says that it did not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cuda/bodies.hpp>
#include <random>
#include <vector>

namespace stamp::test {
namespace {

using Numbers = std::vector<float>;

/// What the device gives for one row: how many it found, then these.
std::vector<Scored> search(const Numbers& row, int k) {
  std::vector<Scored> found(1 + cuda::top_k_most, {NAN, -7});
  const Index columns = std::ssize(row);
  Numbers largest(static_cast<std::size_t>(cuda::top_k_groups(columns)), NAN);
  const cuda::TopKCall<float> call{.found = found.data(),
                                   .largest = largest.data(),
                                   .x = {row.data(), 1, columns, columns},
                                   .seen = nullptr,
                                   .penalty = 1,
                                   .temperature = 1,
                                   .k = k};
  walked::largest_of_groups(call);
  walked::found_of_row(call);
  return found;
}

Numbers drawn(Index columns) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  Numbers row(static_cast<std::size_t>(columns));
  for (float& number : row) number = normal(random);
  return row;
}

TEST(TopKSearch, FindsLittleMoreThanIsKept) {
  for (const Index columns : {151936, 300001}) {
    const Numbers row = drawn(columns);
    EXPECT_EQ(search(row, 1)[0].token, 1);
    for (const int k : {2, 20, 50, 64, 100}) {
      const Index found = search(row, k)[0].token;
      EXPECT_GE(found, k);
      EXPECT_LE(found, 2 * k) << k << " of " << columns;
    }
  }
}

TEST(TopKSearch, FindsNeighboursTogetherToo) {
  Numbers row = drawn(151936);
  for (std::size_t at = 7000; at < 7200; ++at) row[at] += 40;  // in four groups, of four threads
  EXPECT_EQ(search(row, 1)[0].token, 1);
  const Index found = search(row, 50)[0].token;
  EXPECT_GE(found, 200);
  EXPECT_LE(found, 300);
}

TEST(TopKSearch, SaysWhereItDidNotFindAll) {
  Numbers row(4000, -1.0F);
  std::fill_n(row.begin() + 70, cuda::top_k_most, 2.0F);
  auto found = search(row, 3);
  EXPECT_EQ(found[0].token, cuda::top_k_most);
  EXPECT_EQ(std::ranges::max_element(found.begin() + 1, found.end(), {}, &Scored::token)->token,
            70 + cuda::top_k_most - 1);
  row[3999] = 2;
  found = search(row, 3);
  EXPECT_EQ(found[0].token, cuda::top_k_most + 1);
  EXPECT_EQ(found[1].token, -1) << "and gives none";
  for (const float wrong : {NAN, INFINITY}) {
    row[2222] = wrong;
    EXPECT_EQ(search(row, 3)[0].token, -1);
  }
  EXPECT_EQ(search(Numbers(4000, -INFINITY), 3)[0].token, 0);
}

}  // namespace
}  // namespace stamp::test
