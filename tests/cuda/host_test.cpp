// SPDX-License-Identifier: Apache-2.0
// What stamp::cuda decides on the host: memory, tiles, splits, masks, sentences of errors.
#include <gtest/gtest.h>

#include <set>
#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/distinct.hpp>
#include <stamp/cuda/engine.hpp>
#include <stamp/cuda/faults.hpp>
#include <stamp/cuda/pool.hpp>

namespace stamp::cuda {
namespace {

static_assert(stamp::Backend<Engine<float>>);
static_assert(stamp::Backend<Engine<bfloat16>>);

/// Host memory with a limit.
struct Books {
  std::size_t limit = std::size_t{64} << 20U;
  std::map<void*, std::size_t> out;
  [[nodiscard]] std::size_t held() const {
    std::size_t sum = 0;
    for (const auto& [block, size] : out) sum += size;
    return sum;
  }
};
struct Source {
  static constexpr std::size_t alignment = 256;
  static constexpr std::size_t smallest_block = std::size_t{8} << 20U;
  Books* books;
  std::byte* allocate(std::size_t bytes) const {
    if (books->held() + bytes > books->limit) return nullptr;
    auto* const block = static_cast<std::byte*>(::operator new(bytes));
    books->out[block] = bytes;
    return block;
  }
  void release(void* block) const noexcept {
    books->out.erase(block);
    ::operator delete(block);
  }
  void poison(std::byte* bytes, std::size_t count) const noexcept {
    std::memset(bytes, 0xff, count);
  }
};

TEST(CudaPool, HandsOutWhatWasGivenBackAndAsksNoMore) {
  Books books;
  Pool<Source> pool{Source{&books}};
  for (int pass = 0; pass < 3; ++pass) {
    void* const a = pool.allocate(1000);
    void* const b = pool.allocate(3U << 20U);
    pool.release(a);
    void* const c = pool.allocate(900);  // fits where the thousand were
    EXPECT_EQ(a, c);
    pool.release(b);
    pool.release(c);
  }
  EXPECT_EQ(pool.requests(), 2U);
}

TEST(CudaPool, ABlockThatWastesMoreThanAQuarterIsNotTaken) {
  Books books;
  Pool<Source> pool{Source{&books}};
  void* const large = pool.allocate(1U << 20U);
  pool.release(large);
  void* const small = pool.allocate(1000);
  EXPECT_NE(large, small);
  EXPECT_EQ(pool.requests(), 2U);
}

TEST(CudaPool, GivesItsFreeBlocksBackBeforeItGivesUp) {
  Books books;
  books.limit = 10U << 20U;
  {
    Pool<Source> pool{Source{&books}};
    void* const first = pool.allocate(8U << 20U);
    EXPECT_EQ(pool.allocate(4U << 20U), nullptr);
    pool.release(first);
    EXPECT_NE(pool.allocate(4U << 20U), nullptr);
    pool.release(nullptr);
  }
  EXPECT_TRUE(books.out.empty()) << "what is still in use goes back with the pool, too";
}

TEST(CudaArena, RewindsAndStopsAsking) {
  Books books;
  {
    ArenaOf<Source> arena{Source{&books}};
    std::size_t held = 0;
    for (int pass = 0; pass < 3; ++pass) {
      const ArenaOf<Source>::Frame frame(arena);
      float* const a = arena.allocate<float>(100);
      float* const b = arena.allocate<float>(5'000'000);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % 16, 0U);
      EXPECT_TRUE(b >= a + 100 || b + 5'000'000 <= a) << "they overlap";
      if (pass == 0) held = books.held();
      EXPECT_EQ(books.held(), held);
    }
    EXPECT_THROW((void)arena.allocate<float>(Index{1} << 62U), Error);
  }
  EXPECT_TRUE(books.out.empty());
}

/// Every policy over some rows, as rule and as itself.
template <MaskPolicy Mask>
void expect_same_rule(const Mask& mask, Index rows, Index keys) {
  const MaskRule rule(mask);
  for (Index row = 0; row < rows; ++row) {
    for (Index key = 0; key < keys; ++key) {
      EXPECT_EQ(rule.visible(row, keys).sees(key), mask.visible(row).sees(key))
          << "row " << row << ", key " << key;
    }
  }
}

TEST(CudaMaskRule, IsThePolicyAndNeverPassesTheLastKey) {
  const std::vector<std::int32_t> boundaries{0, 3, 3, 9};
  const std::vector<std::int32_t> histories{4, 0, 7};
  expect_same_rule(Causal{5}, 6, 11);
  expect_same_rule(Bidirectional{7}, 3, 7);
  expect_same_rule(BlockDiagonal{boundaries.data(), 3}, 9, 9);
  expect_same_rule(EqualBlocks{3}, 9, 9);
  expect_same_rule(HybridMask{4, 5}, 9, 9);
  expect_same_rule(MaskRows{3, 6, 4}, 4, 10);
  expect_same_rule(MaskBlocks{histories.data(), 8, 2}, 6, 14);
  const std::vector<std::int32_t> places{8, 4, 0, 7};
  expect_same_rule(CausalAt{&histories[0]}, 6, 10);
  expect_same_rule(MaskBlocksAt{places.data(), 2}, 6, 14);
  for (Index row = 0; row < 6; ++row) {
    EXPECT_EQ(CausalAt{&histories[0]}.visible(row).history.end, 4 + row + 1);
    const Visible here = MaskBlocksAt{places.data(), 2}.visible(row);
    const Visible there = MaskBlocks{histories.data(), 8, 2}.visible(row);
    EXPECT_EQ(here.history.end, there.history.end);
    EXPECT_EQ(here.own.begin, there.own.begin);
    EXPECT_EQ(here.own.end, there.own.end);
  }
  const std::vector<Visible> table{{{0, 2}, {5, 7}}, {{1, 4}, {}}};
  EXPECT_TRUE(MaskRule(table.data()).visible(0, 9).sees(6));
  EXPECT_FALSE(MaskRule(table.data()).visible(1, 9).sees(0));
  const Visible cut = MaskRule(Causal{10}).visible(5, 12);
  EXPECT_EQ(cut.history.end, 12);
}

/// Tiles of a query tile over a rule: each visible key once, where it always stands, in rising
/// order and never a tile that nobody sees; and the same tiles part by part.
template <int width>
void expect_covering(const MaskRule& rule, Index first, Index rows, Index keys) {
  KeyHull hull;
  std::set<Index> seen;
  for (Index row = first; row < first + rows; ++row) {
    const Visible visible = rule.visible(row, keys);
    hull.join(visible);
    for (Index key = 0; key < keys; ++key) {
      if (visible.sees(key)) seen.insert(key);
    }
  }
  const KeyTiles<width> tiles(hull);
  std::set<Index> read;
  Index last = -1;
  for (int at = 0; at < tiles.count(); ++at) {
    const auto tile = tiles.tile(at);
    EXPECT_EQ(tile.begin % width, 0);
    EXPECT_GT(tile.begin, last) << "once, in rising order";
    EXPECT_GT(tile.size(), 0);
    EXPECT_LE(tile.size(), width);
    last = tile.begin;
    bool any = false;
    bool all = tile.size() == width;
    for (int key = tile.begin; key < tile.end; ++key) {
      read.insert(key);
      any = any || tiles.holds(key);
      all = all && tiles.holds(key);
    }
    EXPECT_TRUE(any) << "a tile that nobody sees";
    EXPECT_TRUE(all || !tiles.fills(tile));
  }
  for (const Index key : seen)
    EXPECT_TRUE(read.contains(key) && tiles.holds(static_cast<int>(key))) << key;
  for (const Index share : {Index{1}, Index{3}, KeySplit::all}) {
    int next = 0;
    for (Index part = 0; next < tiles.count() && part < 1000; ++part) {
      const auto mine = tiles.part(part, share);
      EXPECT_EQ(mine.begin, next);
      for (int at = mine.begin; at < mine.end; ++at) {
        EXPECT_EQ(tiles.tile(at).begin / width / share, part);
      }
      next = mine.end;
    }
    EXPECT_EQ(next, tiles.count());
  }
}

template <int width>
void expect_covering_of_all_rules() {
  const std::vector<std::int32_t> boundaries{0, 30, 30, 71, 130};
  const std::vector<std::int32_t> histories{40, 0, 17};
  const std::vector<Visible> odd{{{4, 9}, {20, 30}}, {{12, 25}, {}}, {{}, {2, 3}}, {}};
  for (const Index first : {0, 5, 60}) {
    expect_covering<width>(MaskRule(Causal{20}), first, 32, 130);
    expect_covering<width>(MaskRule(BlockDiagonal{boundaries.data(), 4}), first, 32, 130);
    expect_covering<width>(MaskRule(EqualBlocks{26}), first, 32, 130);
    expect_covering<width>(MaskRule(HybridMask{50, 60}), first, 32, 110);
    expect_covering<width>(MaskRule(MaskRows{33, 50, 64}), first, 32, 114);
    expect_covering<width>(MaskRule(MaskBlocks{histories.data(), 50, 32}), first, 32, 146);
  }
  expect_covering<width>(MaskRule(odd.data()), 0, 4, 40);
  expect_covering<width>(MaskRule(MaskRows{0, 4, 0}), 0, 3, 9);
}

TEST(CudaTiles, CoverWhatIsVisibleOnceAndNothingElse) {
  expect_covering_of_all_rules<1>();
  expect_covering_of_all_rules<7>();
  expect_covering_of_all_rules<32>();
  expect_covering_of_all_rules<64>();
}

TEST(CudaTiles, SplitsOnlyWhatLeavesTheDeviceIdle) {
  const auto expect_split = [](const KeySplit& split, Index parts, Index tiles) {
    EXPECT_EQ(split.parts, parts);
    EXPECT_EQ(split.tiles, tiles);
  };
  expect_split(split_keys(1024, 4096, 64, 132), 1, KeySplit::all);  // the vision tower
  expect_split(split_keys(2, 1152, 64, 132), 9, 2);                 // decoding: two key heads
  expect_split(split_keys(2, 64, 64, 132), 1, KeySplit::all);       // a short dialogue
  expect_split(split_keys(0, 0, 64, 132), 1, KeySplit::all);
  expect_split(split_keys(60, 6400, 64, 132), 7, 16);
  expect_split(split_keys(60, 128, 64, 132), 1, KeySplit::all);
}

TEST(CudaTiles, KeysBehindTheVisibleOnesMoveNoPart) {
  for (const Index blocks : {1, 2, 7, 30, 66}) {
    const KeySplit most = split_keys(blocks, 64 * key_step, 64, 132);
    for (Index keys = key_step; keys < 64 * key_step; keys += key_step) {
      const KeySplit split = split_keys(blocks, keys, 64, 132);
      if (split.parts > 1) {
        EXPECT_EQ(split.tiles, most.tiles) << blocks << " blocks, " << keys << " keys";
      } else {
        EXPECT_LE(keys, most.tiles * 64) << "all of them are in the first part either way";
      }
    }
  }
}

TEST(CudaTiles, LengthsShareTheirPlanUpToTheNextStep) {
  EXPECT_EQ(reach_of(0), 0);
  EXPECT_EQ(reach_of(1), key_step);
  EXPECT_EQ(reach_of(key_step), key_step);
  EXPECT_EQ(reach_of(key_step + 1), 2 * key_step);
  bfloat16 memory[8]{};
  AttendCall<bfloat16> call{{memory, 1, 12, 128, 1536},
                            {memory, 1, 12, 128, 1536},
                            {memory, 1025, 2, 128, 256},
                            {memory, 1025, 2, 128, 256},
                            1.0F,
                            MaskRule(Causal{1024})};
  EXPECT_EQ(split_of(call, AttendKernel::tensor, 132).parts, 12);
  call.key.rows = 3 * key_step;
  EXPECT_EQ(split_of(call, AttendKernel::tensor, 132).parts, 12);
}

TEST(CudaTiles, AGroupOfHeadsSharesATile) {
  const PackedRows packing{6};
  std::set<std::pair<Index, Index>> seen;
  for (Index packed = 0; packed < 6 * 4; ++packed) {
    seen.emplace(packing.token(packed), packing.head(packed, 1));
  }
  EXPECT_EQ(seen.size(), 24U);
  EXPECT_EQ(seen.begin()->second, 6);
  EXPECT_EQ(seen.rbegin()->first, 3);
  EXPECT_EQ(seen.rbegin()->second, 11);
}

TEST(CudaAttend, TakesTensorCoresWhereElementTypeHeadSizeAndAlignmentAllow) {
  alignas(16) bfloat16 memory[8]{};
  AttendCall<bfloat16> call{{memory, 4, 12, 80, 960},
                            {memory, 4, 12, 80, 3840},
                            {memory, 64, 2, 80, 3840},
                            {memory, 64, 2, 80, 3840},
                            1.0F,
                            MaskRule(Causal{60})};
  EXPECT_EQ(kernel_for(call), AttendKernel::tensor);
  call.key.stride = 3841;
  EXPECT_EQ(kernel_for(call), AttendKernel::tiled);
  call.key.stride = 3840;
  call.y.dim = 72;
  EXPECT_EQ(kernel_for(call), AttendKernel::tiled);
  call.y.dim = 144;
  EXPECT_EQ(kernel_for(call), AttendKernel::naive);
}

TEST(CudaProducts, ANormJoinsFewRowsThatFitIntoSharedMemory) {
  EXPECT_TRUE(joins_norm<bfloat16>(4, 3584));
  EXPECT_FALSE(joins_norm<bfloat16>(5, 48));
  EXPECT_TRUE(joins_norm<float>(3, 3584));
  EXPECT_FALSE(joins_norm<float>(4, 3584));
  EXPECT_EQ(normal_bytes<bfloat16>(1, 1536), sum_bytes + 3072U);
}

TEST(CudaDistinct, NamesEveryIdOnce) {
  const std::vector<std::int32_t> ids{7, 3, 7, 7, 9, 3};
  const Distinct distinct(ids);
  EXPECT_EQ(distinct.values, (std::vector<std::int32_t>{7, 3, 9}));
  EXPECT_EQ(distinct.which, (std::vector<std::int32_t>{0, 1, 0, 0, 2, 1}));
  EXPECT_TRUE(Distinct({}).values.empty());
}

TEST(CudaFaults, AreOneClearSentenceEach) {
  EXPECT_EQ(why_no_device(0, 13000, 0), "cuda: no device: expected an NVIDIA driver, found none");
  EXPECT_EQ(why_no_device(12040, 13000, 1),
            "cuda: driver too old: expected one for CUDA 13.0, found one for CUDA 12.4");
  EXPECT_EQ(why_no_device(13000, 13000, 0), "cuda: no device: expected an NVIDIA GPU, found none");
  EXPECT_EQ(why_no_device(13000, 13000, 0, "system not yet initialized"),
            "cuda: no device: expected an NVIDIA GPU, found a driver that says: system not yet "
            "initialized");
  EXPECT_EQ(why_no_device(13010, 13000, 2), "");
  EXPECT_EQ(no_code_for("Tesla T4", 7, 5, "80 90a-real"),
            "cuda: architecture not built: expected code for compute capability 7.5 (Tesla T4), "
            "found 80 90a-real");
  EXPECT_EQ(out_of_memory(mebibytes(std::size_t{3} << 29U), std::size_t{100} << 20U,
                          std::size_t{80} << 30U),
            "cuda: out of device memory: needed 1536.0 MiB, free are 100.0 MiB of 81920.0 MiB");
  EXPECT_EQ(out_of_memory("memory for the product library", 0, std::size_t{80} << 30U),
            "cuda: out of device memory: needed memory for the product library, free are 0.0 MiB "
            "of 81920.0 MiB");
  EXPECT_EQ(out_of_pinned_memory(std::size_t{4} << 20U),
            "cuda: out of pinned memory: needed 4.0 MiB");
  EXPECT_EQ(kernel_fault("an illegal memory access was encountered", "norm.cu:42"),
            "cuda: kernel fault: an illegal memory access was encountered, noticed at norm.cu:42");
  EXPECT_EQ(place(std::source_location::current()).rfind("host_test.cpp:", 0), 0U);
}

TEST(CudaFaults, AnEngineWithoutADeviceSaysWhyAndIsAMissingResource) {
  const std::string missing = missing_device();
  if (missing.empty()) GTEST_SKIP() << "this machine has a GPU";
  try {
    const Engine<bfloat16> engine;
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::resource);
    EXPECT_EQ(error.what(), missing);
  }
}

}  // namespace
}  // namespace stamp::cuda
