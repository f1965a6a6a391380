// SPDX-License-Identifier: Apache-2.0
// The tile products that AMX runs, on tiles made of plain loops: every machine checks which bytes
// they read and write. Where there is AMX, the instructions themselves are checked, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <parity/random_weights.hpp>
#include <stamp/cpu/engine.hpp>
#include <vector>

namespace stamp::cpu::plain {
namespace {

struct Tile {
  Index rows = 0;
  Index words = 0;
  std::array<std::array<std::uint32_t, 16>, 16> at{};
};

/// The tile registers as Intel's manual describes them. Using a tile that is not configured, or
/// two whose shapes do not fit, is an error as it is there.
struct Tiles {
  static inline std::array<Tile, 8> tiles;

  static void configure(Index first, Index second, Index words) {
    ASSERT_LE(std::max({first, second, words}), 16);
    ASSERT_GT(std::min(first, words), 0);
    for (int tile = 0; tile < 8; ++tile) {
      const bool outputs = tile >= 6;
      const bool below = tile == 2 || tile == 3 || tile == 5;
      const Index rows = outputs ? words : below ? second : first;
      tiles[static_cast<std::size_t>(tile)] = {rows, tile == 4 || tile == 5 ? words : 16, {}};
    }
  }
  template <int tile>
  static void zero() {
    ASSERT_GT(tiles[tile].rows, 0);
    tiles[tile].at = {};
  }
  template <int tile>
  static void load(const void* from, Index stride) {
    Tile& to = tiles[tile];
    ASSERT_GT(to.rows, 0);
    to.at = {};
    for (Index row = 0; row < to.rows; ++row) {
      std::memcpy(to.at[static_cast<std::size_t>(row)].data(),
                  static_cast<const std::byte*>(from) + row * stride,
                  static_cast<std::size_t>(4 * to.words));
    }
  }
  template <int tile>
  static void store(void* to, Index stride) {
    ASSERT_GT(tiles[tile].rows, 0);
    for (Index row = 0; row < tiles[tile].rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * stride,
                  tiles[tile].at[static_cast<std::size_t>(row)].data(), 64);
    }
  }
  static void release() {
    for (Tile& tile : tiles) tile = {};
  }

  /// sums += rows·outputs, `term` a product of two words.
  template <class Sum, class Term>
  static void step(std::size_t sums, std::size_t rows, std::size_t outputs, const Term& term) {
    ASSERT_EQ(tiles[sums].rows, tiles[rows].rows);
    ASSERT_EQ(tiles[rows].words, tiles[outputs].rows);
    ASSERT_GT(tiles[rows].rows, 0);
    for (std::size_t m = 0; m < static_cast<std::size_t>(tiles[sums].rows); ++m) {
      for (std::size_t n = 0; n < 16; ++n) {
        Sum sum = std::bit_cast<Sum>(tiles[sums].at[m][n]);
        for (std::size_t k = 0; k < static_cast<std::size_t>(tiles[rows].words); ++k) {
          sum += term(tiles[rows].at[m][k], tiles[outputs].at[k][n]);
        }
        tiles[sums].at[m][n] = std::bit_cast<std::uint32_t>(sum);
      }
    }
  }
};

struct Bf16Words {
  using Sum = float;
  static float number(std::uint32_t half) { return std::bit_cast<float>(half << 16U); }
  static float term(std::uint32_t x, std::uint32_t w) {
    return number(x & 0xffffU) * number(w & 0xffffU) + number(x >> 16U) * number(w >> 16U);
  }
  template <int sums, int rows, int outputs>
  static void step() {
    Tiles::step<Sum>(sums, rows, outputs, term);
  }
};

struct Int8Words {
  using Sum = std::int32_t;
  static std::int32_t term(std::uint32_t x, std::uint32_t w) {
    std::int32_t sum = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      sum += static_cast<std::int32_t>((x >> shift) & 0xffU) *
             static_cast<std::int8_t>((w >> shift) & 0xffU);
    }
    return sum;
  }
  template <int sums, int rows, int outputs>
  static void step() {
    Tiles::step<Sum>(sums, rows, outputs, term);
  }
};

#include <stamp/cpu/simd/tiles.inc>

}  // namespace
}  // namespace stamp::cpu::plain

namespace stamp::cpu {
namespace {

/// `count` words of small whole numbers, so that sums are exact in any order.
template <class Words>
std::vector<std::uint32_t> some_words(Index count, std::uint64_t seed) {
  std::vector<std::uint32_t> words;
  for (const double drawn : test::random_numbers(4 * count, seed)) {
    const auto whole = static_cast<std::int32_t>(std::lrint(std::clamp(drawn * 3, -9.0, 9.0)));
    if constexpr (std::same_as<typename Words::Sum, float>) {
      const std::uint32_t half = bfloat16(static_cast<float>(whole)).bits;
      words.push_back(words.empty() ? half : half | (words.back() << 16U));
    } else {
      const auto byte = static_cast<std::uint32_t>(whole) & 0xffU;
      words.push_back(words.empty() ? byte : byte | (words.back() << 8U));
    }
  }
  std::vector<std::uint32_t> kept;
  for (std::size_t at = 3; at < words.size(); at += 4) kept.push_back(words[at]);
  return kept;
}

/// y = x·w + start for every shape that tiles do not fit, read and written nowhere else.
template <class Words, class Product>
void expect_products(const Product& product) {
  using Sum = typename Words::Sum;
  constexpr Sum canary = -77;
  for (const Index rows : {1, 5, 15, 16, 17, 31, 32, 33, 48, 49, 64, 70}) {
    for (const Index words : {1, 7, 16, 17, 40, 64, 75}) {
      const bool accumulate = (rows + words) % 2 == 0;
      const Index y_stride = panel_width + 3;
      // Exactly the bytes that a product may read: a sanitizer sees one more.
      const std::vector<std::uint32_t> x = some_words<Words>((rows - 1) * (words + 2) + words, 1);
      const std::vector<std::uint32_t> panel = some_words<Words>(words * panel_width, 2);
      std::vector<Sum> y(static_cast<std::size_t>((rows - 1) * y_stride + panel_width), canary);
      const std::vector<Sum> before = y;
      product(y.data(), y_stride, x.data(), words + 2, rows, panel.data(), words, accumulate);
      for (Index row = 0; row < rows; ++row) {
        for (Index column = 0; column < y_stride; ++column) {
          const auto at = static_cast<std::size_t>(row * y_stride + column);
          if (at >= y.size()) break;
          Sum expected = column < panel_width && !accumulate ? Sum{} : before[at];
          for (Index word = 0; word < words && column < panel_width; ++word) {
            expected += Words::term(x[static_cast<std::size_t>(row * (words + 2) + word)],
                                    panel[static_cast<std::size_t>(word * panel_width + column)]);
          }
          ASSERT_EQ(expected, y[at])
              << rows << " rows, " << words << " words, at " << row << ", " << column;
        }
      }
    }
  }
}

TEST(Tiles, MultiplyBfloat16RowsOfEveryShape) {
  expect_products<plain::Bf16Words>(plain::tile_product<plain::Bf16Words>);
}

TEST(Tiles, MultiplyInt8RowsOfEveryShape) {
  expect_products<plain::Int8Words>(plain::tile_product<plain::Int8Words>);
}

TEST(Tiles, OfTheProcessorDoTheSame) {
  if (detected_isa() != Isa::amx) GTEST_SKIP() << "this processor has no AMX";
  EXPECT_TRUE(amx::tiles_agree_with_vectors());
  expect_products<plain::Bf16Words>(amx::kernels.product_bf16);
  expect_products<plain::Int8Words>(amx::kernels.product_int8);
}

/// Attention of 70 queries over 300 keys of 40 numbers, some hidden, with the given products.
std::vector<float> some_attention(const AttentionKernels& k) {
  constexpr Index rows = 70;
  constexpr Index keys = 300;
  constexpr Index dim = 40;
  std::vector<float> numbers;
  for (const double number : test::random_numbers((rows + 2 * keys) * dim, 3)) {
    numbers.push_back(static_cast<float>(number));
  }
  const float* const key = numbers.data() + rows * dim;
  const auto words_for = [](Index count) {
    return std::vector<std::uint32_t>(static_cast<std::size_t>(count));
  };
  const Index words = round_up(dim / k.key_numbers, k.word_step);
  auto key_panels = words_for(round_up(keys, 64) * (words + k.panel_notes));
  auto value_panels =
      words_for(round_up(keys, attend_keys) / k.value_numbers * round_up(dim, word_block));
  k.pack_keys(key_panels.data(), key, dim, keys, dim, words,
              words_for(key_scratch(dim, words)).data());
  k.pack_values(value_panels.data(), key + keys * dim, dim, keys, dim);
  std::vector<Visible> visible;
  for (Index row = 0; row < rows; ++row) visible.push_back(HybridMask{20, 270}.visible(row));
  std::vector<std::byte> scratch(static_cast<std::size_t>(attend_scratch(dim)));
  std::vector<float> y(rows * dim);
  k.attend({.query = numbers.data(),
            .query_stride = dim,
            .y = y.data(),
            .y_stride = dim,
            .visible = visible.data(),
            .key = key_panels.data(),
            .value = value_panels.data(),
            .rows = rows,
            .dim = dim,
            .words = words,
            .keys = keys,
            .scale = 0.3F,
            .scratch = scratch.data()});
  return y;
}

void expect_attention(const AttentionKernels& vectors, const AttentionKernels& tiles) {
  const auto expected = some_attention(vectors);
  const auto found = some_attention(tiles);
  for (std::size_t at = 0; at < expected.size(); ++at) {
    // Both round exponentials to bfloat16; a sum in another order moves some to the next one.
    ASSERT_NEAR(expected[at], found[at], 2e-3) << at;
  }
}

template <class KeyWords, class TileWords>
constexpr AttentionKernels on_plain_tiles =
    avx512::attention<KeyWords, avx512::Bf16Words,
                      avx512::StoredProducts<KeyWords, plain::AttendProducts<TileWords>>>;

TEST(Tiles, AttendAsVectorsDo) {
  if (detected_isa() < Isa::avx512) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  const Kernels& vectors = avx512::kernels;
  expect_attention(vectors.attend_bf16, on_plain_tiles<avx512::Bf16Words, plain::Bf16Words>);
  expect_attention(vectors.attend_int8, on_plain_tiles<avx512::Int8Words, plain::Int8Words>);
  if (detected_isa() == Isa::amx) {
    expect_attention(vectors.attend_bf16, amx::kernels.attend_bf16);
    expect_attention(vectors.attend_int8, amx::kernels.attend_int8);
  }
}

TEST(Vectors, DoTheSame) {
  if (detected_isa() < Isa::avx512) GTEST_SKIP() << "this processor lacks AVX512-BF16 or VNNI";
  expect_products<plain::Bf16Words>(avx512::kernels.product_bf16);
  expect_products<plain::Int8Words>(avx512::kernels.product_int8);
}

}  // namespace
}  // namespace stamp::cpu
