// SPDX-License-Identifier: Apache-2.0
// Products of few rows, walked on the host: rows as long as they come, shared by one, two and four
// warps an output, and the same bits whatever is computed beside a number.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <cuda/bodies.hpp>
#include <parity/random_weights.hpp>
#include <utility>
#include <vector>

namespace stamp::test {
namespace {

template <class W>
std::vector<W> drawn(Index count, std::uint64_t seed) {
  std::vector<W> numbers;
  for (const double number : random_numbers(count, seed)) {
    if constexpr (std::same_as<W, std::int8_t>) {
      numbers.push_back(static_cast<std::int8_t>(std::lround(number * 100)));
    } else {
      numbers.push_back(static_cast<W>(static_cast<float>(number)));
    }
  }
  return numbers;
}

template <class T>
Erased<T> rows_of(std::vector<T>& numbers, Index rows, Index columns) {
  return {numbers.data(), rows, columns, columns};
}
template <class T>
Erased<const T> rows_of(const std::vector<T>& numbers, Index rows, Index columns) {
  return {numbers.data(), rows, columns, columns};
}

/// The first numbers of two vectors, to the bit.
template <class T>
void expect_same(const std::vector<T>& found, const std::vector<T>& expected, const char* what) {
  const std::size_t count = std::min(found.size(), expected.size());
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), count * sizeof(T)), 0) << what;
}

/// Activations and weights; W is one of the types that matrices are kept in.
template <class T, class W>
struct Kept {
  using Element = T;
  using Weight = W;
};

template <class>
class FewRows : public ::testing::Test {};
using EachKept = ::testing::Types<Kept<float, float>, Kept<bfloat16, bfloat16>,
                                  Kept<bfloat16, std::int8_t>, Kept<bfloat16, cuda::float8_e4m3>>;
TYPED_TEST_SUITE(FewRows, EachKept);

/// Aligned and not; one batch of loads and several, whole and partial; shared by one warp, by two
/// and by four.
constexpr Index lengths[] = {35, 40, 1536, 2064, 3584, 4608, 4616, 8960, 9232, 9217};
constexpr Index outputs = 19;
constexpr Index most = cuda::skinny_rows;

TYPED_TEST(FewRows, AreThePlainSumsWithTheSameBitsWhateverIsBeside) {
  using T = typename TypeParam::Element;
  using W = typename TypeParam::Weight;
  for (const Index length : lengths) {
    SCOPED_TRACE(length);
    const auto x = drawn<T>(most * length, 1);
    const auto w = drawn<W>(outputs * length, 2);
    const auto bias = drawn<T>(outputs, 3);
    std::vector<float> scales;
    for (Index o = 0; o < outputs; ++o) scales.push_back(0.01F * static_cast<float>(o + 1));
    const auto product = [&](std::vector<T>& y, Index rows, Index first, Index count) {
      return cuda::Product<T, W>{rows_of(y, rows, count),   rows_of(x, rows, length),
                                 w.data() + first * length, bias.data() + first,
                                 cuda::Into::store,         scales.data() + first};
    };
    std::vector<T> all(most * outputs);
    walked::skinny_products(cuda::JoinedProducts<T, W>{product(all, most, 0, outputs), {}, {}});
    for (Index row = 0; row < most; ++row) {
      for (Index o = 0; o < outputs; ++o) {
        double sum = 0;
        double sizes = 0;
        for (Index k = 0; k < length; ++k) {
          const double term = static_cast<double>(widen(x[row * length + k])) *
                              static_cast<double>(static_cast<float>(w[o * length + k])) *
                              (cuda::Code<W> ? scales[o] : 1.0);
          sum += term;
          sizes += std::abs(term);
        }
        sum += widen(bias[o]);
        const double found = widen(all[row * outputs + o]);
        EXPECT_NEAR(found, sum, 1e-6 * sizes + (sizeof(T) == 2 ? 0x1p-8 * std::abs(sum) : 0))
            << "row " << row << ", output " << o;
      }
    }
    for (Index rows = 1; rows < most; ++rows) {
      std::vector<T> fewer(rows * outputs);
      walked::skinny_products(cuda::JoinedProducts<T, W>{product(fewer, rows, 0, outputs), {}, {}});
      expect_same(fewer, all, "fewer rows");
    }
    std::vector<T> first(7);
    std::vector<T> second(3);
    std::vector<T> third(9);
    walked::skinny_products(cuda::JoinedProducts<T, W>{
        product(first, 1, 0, 7), product(second, 1, 7, 3), product(third, 1, 10, 9)});
    first.insert(first.end(), second.begin(), second.end());
    first.insert(first.end(), third.begin(), third.end());
    expect_same(first, all, "three products");
  }
}

/// With a norm that joins and without, one kernel is its parts to the bit.
TYPED_TEST(FewRows, OfGateAndUpBehindANormAreTheirParts) {
  using T = typename TypeParam::Element;
  using W = typename TypeParam::Weight;
  for (const Index length : lengths) {
    SCOPED_TRACE(length);
    const auto x = drawn<T>(most * length, 1);
    const auto norm = drawn<T>(length, 4);
    const auto gate = drawn<W>(outputs * length, 2);
    const auto up = drawn<W>(outputs * length, 5);
    const std::vector<float> scales(outputs, 0.001F);
    const cuda::InputNorm<T> joined{norm.data(), 1e-5F};
    for (const Index rows : {Index{1}, Index{3}, most}) {
      std::vector<T> normal(rows * length);
      walked::rms_norm(rows_of(normal, rows, length), rows_of(x, rows, length), norm.data(),
                       joined.eps);
      const auto times = [&](const std::vector<W>& w, const std::vector<T>& from,
                             const cuda::InputNorm<T>& behind) {
        std::vector<T> y(rows * outputs);
        walked::skinny_products(
            cuda::JoinedProducts<T, W>{{rows_of(y, rows, outputs), rows_of(from, rows, length),
                                        w.data(), nullptr, cuda::Into::store, scales.data()},
                                       {},
                                       {},
                                       behind});
        return y;
      };
      const std::vector<T> up_alone = times(up, normal, {});
      std::vector<T> parts = times(gate, normal, {});
      expect_same(times(gate, x, joined), parts, "a product behind its norm");
      walked::swiglu(rows_of(parts, rows, outputs), rows_of(up_alone, rows, outputs));
      const cuda::GateAndUp<W> both{gate.data(), up.data(), scales.data(), scales.data()};
      std::vector<T> y(rows * outputs);
      walked::skinny_swiglu(rows_of(y, rows, outputs), rows_of(std::as_const(normal), rows, length),
                            both);
      expect_same(y, parts, "gate and up");
      walked::skinny_swiglu(rows_of(y, rows, outputs), rows_of(x, rows, length), both, joined);
      expect_same(y, parts, "gate and up behind their norm");
    }
  }
}

TEST(SharedOutputs, LongRowsAreSharedByWarps) {
  EXPECT_EQ(cuda::shared_by(1536), 0);
  EXPECT_EQ(cuda::shared_by(8960), 1);
  EXPECT_EQ(cuda::shared_by(18944), 2);
}

}  // namespace
}  // namespace stamp::test
