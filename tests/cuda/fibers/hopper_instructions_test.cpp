// SPDX-License-Identifier: Apache-2.0
// The host's copies, barriers and matrix instructions of Hopper against plain loops and against
// places worked out by hand, and what they complain about.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fibers/fibers.hpp>
#include <numeric>
#include <random>
#include <set>
#include <stamp/cuda/attend/hopper/tma.cuh>
#include <stamp/cuda/attend/hopper/wgmma.cuh>

namespace stamp::cuda {
namespace {

using test::fibers::complaints;
using test::fibers::SharedMemory;

class HopperInstructions : public ::testing::TestWithParam<tma::Arrival> {
 protected:
  static constexpr int threads = 128;
  static constexpr int keys = 128;

  HopperInstructions() {
    complaints.clear();
    tma::arrival = GetParam();
  }
  void run(const std::function<void()>& body) {
    tma::forget_barriers();
    wgmma::forget_products();
    block.run(threads, body);
    tma::expect_quiet();
    wgmma::expect_finished();
  }
  /// The first thread copies a whole tile and everybody waits for it.
  void copy_tile(std::byte* to, const ErasedHeads<const bfloat16>& from, int head, int first) {
    const int dim = static_cast<int>(from.dim);
    const TileMap wide = tile_map(from, Swizzle::bytes_128, keys);
    const TileMap narrow = tile_map(from, Swizzle::bytes_32, keys);
    run([&] {
      if (threadIdx.x == 0) {
        tma::prepare(barrier(), 1);
        tma::arrive_and_expect(barrier(), static_cast<std::uint32_t>(keys * dim * 2));
        for (int box = 0; box < wide_boxes(dim); ++box) {
          tma::load(to + std::ptrdiff_t{box} * keys * 128, wide, barrier(), box * 64, head, first);
        }
        if (has_narrow_box(dim)) {
          tma::load(to + std::ptrdiff_t{wide_boxes(dim)} * keys * 128, narrow, barrier(),
                    wide_boxes(dim) * 64, head, first);
        }
      }
      __syncthreads();
      tma::wait(barrier(), 0);
    });
  }
  [[nodiscard]] tma::Barrier& barrier() const {
    return *reinterpret_cast<tma::Barrier*>(shared.data() + 100 * 1024);
  }
  [[nodiscard]] static std::vector<bfloat16> random_numbers(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<bfloat16> numbers;
    for (std::size_t at = 0; at < count; ++at) {
      numbers.emplace_back(static_cast<float>(random() % 17) - 8);  // sums of them are exact
    }
    return numbers;
  }

  SharedMemory shared{101 * 1024};
  test::fibers::Block block;
};

INSTANTIATE_TEST_SUITE_P(, HopperInstructions,
                         ::testing::Values(tma::Arrival::early, tma::Arrival::late),
                         [](const auto& given) {
                           return given.param == tma::Arrival::early ? "Early" : "Late";
                         });

TEST_P(HopperInstructions, DescriptorsHoldTheFieldsOfTheManual) {
  EXPECT_EQ(matrix_descriptor(Swizzle::bytes_128, 0x2c400, 16384),
            0x2c40ULL | 1024ULL << 16U | 64ULL << 32U | 1ULL << 62U);
  EXPECT_EQ(matrix_descriptor(Swizzle::bytes_32, 0x400, 4096),
            0x40ULL | 256ULL << 16U | 16ULL << 32U | 3ULL << 62U);
}

TEST_P(HopperInstructions, EveryPlaceOfATileIsTakenOnce) {
  for (const int dim : {64, 80, 128}) {
    std::set<std::uint32_t> places;
    for (int row = 0; row < keys; ++row) {
      for (int column = 0; column < dim; column += 8) {
        places.insert(place_in_tile(dim, keys, row, column));
      }
    }
    EXPECT_EQ(places.size(), static_cast<std::size_t>(keys * dim / 8));
    EXPECT_EQ(*places.rbegin(), static_cast<std::uint32_t>(keys * dim * 2 - 16));
  }
  // By hand: row 5 of a box of 64, piece 3 stands where piece 6 would.
  EXPECT_EQ(place_in_tile(128, keys, 5, 24), 5U * 128 + 6 * 16);
  EXPECT_EQ(place_in_tile(128, keys, 5, 64 + 24), 16384U + 5 * 128 + 6 * 16);
  // Of a box of 16: rows 4 to 7 have their two pieces the other way round.
  EXPECT_EQ(place_in_tile(80, keys, 3, 72), 16384U + 3 * 32 + 16);
  EXPECT_EQ(place_in_tile(80, keys, 4, 72), 16384U + 4 * 32);
}

TEST_P(HopperInstructions, CopiesBoxesOfAStridedTensorAndZerosBehindItsEnd) {
  constexpr Index rows = 150;
  constexpr Index heads = 3;
  for (const Index dim : {64, 80, 128}) {
    const Index stride = heads * dim + 8;
    const auto numbers = random_numbers(static_cast<std::size_t>(rows * stride), 1);
    for (const int first : {0, 100}) {
      shared.reset();
      copy_tile(shared.data(), {numbers.data(), rows, heads, dim, stride}, 2, first);
      for (int key = 0; key < keys; ++key) {
        for (int d = 0; d < dim; ++d) {
          bfloat16 found;
          std::memcpy(&found,
                      shared.data() + place_in_tile(static_cast<int>(dim), keys, key, d / 8 * 8) +
                          d % 8 * 2,
                      2);
          const Index row = first + key;
          const float wanted =
              row < rows ? widen(numbers[static_cast<std::size_t>(row * stride + 2 * dim + d)]) : 0;
          ASSERT_EQ(widen(found), wanted) << "dim " << dim << ", key " << row << ", " << d;
        }
      }
    }
  }
  EXPECT_TRUE(complaints.empty()) << complaints.front();
}

TEST_P(HopperInstructions, ScoresAreTheProductOfTwoTilesAndAppearWhereTheyAreWaitedFor) {
  for (const int dim : {64, 80, 128}) {
    const auto query = random_numbers(static_cast<std::size_t>(128 * dim), 2);
    const auto key = random_numbers(static_cast<std::size_t>(keys * dim), 3);
    copy_tile(shared.data(), {query.data(), 128, 1, dim, dim}, 0, 0);
    copy_tile(shared.data() + 32 * 1024, {key.data(), keys, 1, dim, dim}, 0, 0);
    for (const int half : {0, 1}) {  // of the query's rows
      run([&] {
        const std::uint32_t a = tma::shared_address(shared.data());
        const std::uint32_t b = tma::shared_address(shared.data() + 32 * 1024);
        float c[64];
        std::iota(c, c + 64, 1.0F);
        wgmma::fence();
        for (int step = 0; step < dim / 16; ++step) {
          const bool wide = step / 4 < wide_boxes(dim);
          const Swizzle swizzle = wide ? Swizzle::bytes_128 : Swizzle::bytes_32;
          const auto inside = static_cast<std::uint32_t>(step / 4 * keys * 128 + step % 4 * 32);
          const auto rows = static_cast<std::uint32_t>(half * 64) * row_bytes(swizzle);
          wgmma::multiply_128(c, matrix_descriptor(swizzle, a + inside + rows, 16),
                              matrix_descriptor(swizzle, b + inside, 16), step > 0);
        }
        wgmma::commit();
        EXPECT_TRUE(std::isnan(c[0]) && std::isnan(c[63]));
        wgmma::wait<0>();
        const int thread = static_cast<int>(threadIdx.x);
        for (int at = 0; at < 64; ++at) {
          const int row = half * 64 + thread / 32 * 16 + thread % 32 / 4 + at % 4 / 2 * 8;
          const int column = at / 4 * 8 + thread % 4 * 2 + at % 2;
          float dot = 0;
          for (int d = 0; d < dim; ++d) {
            dot += widen(query[static_cast<std::size_t>(row * dim + d)]) *
                   widen(key[static_cast<std::size_t>(column * dim + d)]);
          }
          EXPECT_EQ(c[at], dot) << "dim " << dim << ", row " << row << ", key " << column;
        }
      });
    }
  }
  EXPECT_TRUE(complaints.empty()) << complaints.front();
}

TEST_P(HopperInstructions, ValuesAreMixedByWeightsFromRegisters) {
  for (const int dim : {64, 80, 128}) {
    const auto weight = random_numbers(std::size_t{64} * 16, 4);
    const auto value = random_numbers(static_cast<std::size_t>(keys * dim), 5);
    copy_tile(shared.data(), {value.data(), keys, 1, dim, dim}, 0, 0);
    constexpr int first = 48;  // of the 16 keys
    run([&] {
      const int thread = static_cast<int>(threadIdx.x);
      const int top = thread / 32 * 16 + thread % 32 / 4;
      const auto weight_at = [&](int row, int k) {
        return weight[static_cast<std::size_t>(row * 16 + k)];
      };
      std::uint32_t a[4];
      for (int i = 0; i < 4; ++i) {
        const int row = top + i % 2 * 8;
        const int k = thread % 4 * 2 + i / 2 * 8;
        a[i] = weight_at(row, k).bits | static_cast<std::uint32_t>(weight_at(row, k + 1).bits)
                                            << 16U;
      }
      const std::uint32_t b = tma::shared_address(shared.data());
      const std::uint64_t wide = matrix_descriptor(Swizzle::bytes_128, b + first * 128, keys * 128);
      const std::uint64_t narrow =
          matrix_descriptor(Swizzle::bytes_32, b + keys * 128 + first * 32, keys * 32);
      float y[64];
      std::fill_n(y, 64, 2.0F);
      wgmma::fence();
      if (dim == 128) {
        wgmma::multiply_add<128>(y, a, wide);
      } else {
        wgmma::multiply_add<64>(y, a, wide);
        if (dim == 80) wgmma::multiply_add<16>(y + 32, a, narrow);
      }
      wgmma::commit();
      wgmma::wait<0>();
      for (int at = 0; at < dim / 2; ++at) {
        const int row = top + at % 4 / 2 * 8;
        const int column = at / 4 * 8 + thread % 4 * 2 + at % 2;
        float sum = 2;
        for (int k = 0; k < 16; ++k) {
          sum += widen(weight_at(row, k)) *
                 widen(value[static_cast<std::size_t>((first + k) * dim + column)]);
        }
        EXPECT_EQ(y[at], sum) << "dim " << dim << ", row " << row << ", column " << column;
      }
    });
  }
  EXPECT_TRUE(complaints.empty()) << complaints.front();
}

TEST_P(HopperInstructions, BarriersEndAPhaseWhenAllHaveArrivedAndAllBytesHaveCome) {
  const auto numbers = random_numbers(std::size_t{keys} * 64, 6);
  const TileMap map = tile_map({numbers.data(), keys, 1, 64, 64}, Swizzle::bytes_128, keys);
  std::vector<int> order;
  run([&] {
    if (threadIdx.x == 0) tma::prepare(barrier(), 2);
    __syncthreads();
    tma::wait(barrier(), 1);  // the phase before the first one has ended
    if (threadIdx.x == 127) {
      order.push_back(1);
      tma::arrive_and_expect(barrier(), keys * 128);
      tma::load(shared.data(), map, barrier(), 0, 0, 0);
    }
    if (threadIdx.x == 64) {
      test::fibers::Block::current_block->yield();
      order.push_back(2);
      tma::arrive(barrier());
    }
    tma::wait(barrier(), 0);
    order.push_back(3);
    __syncthreads();
    if (threadIdx.x < 2) tma::arrive(barrier());
    tma::wait(barrier(), 1);
  });
  EXPECT_EQ(order.size(), 130U);
  EXPECT_EQ(std::ranges::count(order.begin() + 2, order.end(), 3), 128);
  EXPECT_TRUE(complaints.empty()) << complaints.front();
}

/// One product of 16 numbers of a head, with something wrong around it.
class HopperComplaints : public HopperInstructions {
 protected:
  struct Wrong {
    bool fence = true;
    bool touch_sums = false;
    bool touch_weights = false;
    bool touch_memory = false;
    bool publish = true;
    bool wait = true;
  };
  std::string of(const Wrong& wrong) {
    complaints.clear();
    std::memset(shared.data(), 0, 32 * 1024);
    run([&] {
      if (wrong.publish) tma::publish_writes();
      const std::uint32_t b = tma::shared_address(shared.data());
      float y[32] = {};
      std::uint32_t a[4] = {};
      if (wrong.fence) wgmma::fence();
      wgmma::multiply_add<64>(y, a, matrix_descriptor(Swizzle::bytes_128, b, 16384));
      wgmma::commit();
      if (wrong.touch_sums) y[3] = 1;
      if (wrong.touch_weights) a[2] = 1;
      if (wrong.touch_memory) {
        shared.data()[130] = std::byte{1};
        tma::publish_writes();
      }
      if (wrong.wait) wgmma::wait<0>();
    });
    return complaints.empty() ? "" : complaints.front();
  }
};
INSTANTIATE_TEST_SUITE_P(, HopperComplaints, ::testing::Values(tma::Arrival::late),
                         [](const auto&) { return "Late"; });

TEST_P(HopperComplaints, NameWhatTheManualForbids) {
  EXPECT_EQ(of({}), "");
  EXPECT_EQ(of({.fence = false}), "a product without a fence before its group");
  EXPECT_EQ(of({.touch_sums = true}), "registers changed while a product was writing them");
  EXPECT_EQ(of({.touch_weights = true}), "registers changed while a product was reading them");
  EXPECT_EQ(of({.touch_memory = true}), "shared memory changed while a product was reading it");
  EXPECT_EQ(of({.publish = false}), "a product of numbers that were written and not published");
  EXPECT_EQ(of({.wait = false}), "a product nobody waited for");

  complaints.clear();
  run([&] {
    if (threadIdx.x == 0) tma::prepare(barrier(), 2);
    __syncthreads();
    if (threadIdx.x == 0) tma::arrive_and_expect(barrier(), 16);
  });
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_EQ(complaints.front(), "a copy that nobody waited for");
  complaints.clear();
  run([&] { tma::arrive(barrier()); });
  EXPECT_EQ(complaints.front(), "a barrier that nobody prepared");
}

}  // namespace
}  // namespace stamp::cuda
