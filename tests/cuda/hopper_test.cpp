// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel on fibers beside the mma.sync one: rings that turn several times,
// strided operands, keys that nobody may read, and when it is chosen.
#include <gtest/gtest.h>

#include <cmath>
#include <cuda/strided_call.hpp>
#include <stamp/cuda/attend/hopper/maps.hpp>

#include "../../examples/stamp/with_cuda/cuda_choice.hpp"

namespace stamp::cuda {
namespace {

using test::StridedCall;

void expect_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t at = 0; at < found.size(); ++at) {
    // Weights are rounded in both, each by at most 2^-9 of itself, and so are the results.
    ASSERT_NEAR(found[at], wanted[at], 0x1p-8F + 0x1p-7F * std::abs(wanted[at])) << at;
  }
}

TEST(Hopper, TurnsItsRingsSeveralTimesWithEveryHeadSizeAndNumberOfParts) {
  for (const Index dim : {64, 80, 128}) {
    StridedCall call(37, 1000, 4, 2, dim, MaskRule(Causal{963}));
    const auto wanted = call.run(AttendKernel::tensor, 1);
    for (const Index parts : {1, 2, 5}) {
      expect_near(call.run(AttendKernel::hopper, parts), wanted);
    }
  }
}

TEST(Hopper, EveryRowHasASayInWhichTilesAreVisited) {
  for (const Index rows : {16, 31, 128}) {
    for (const Index last :
         {rows - 1, rows / 2, Index{0}}) {  // the only row that sees the last key
      std::vector<Visible> table(static_cast<std::size_t>(rows), {{0, 3}, {}});
      table[static_cast<std::size_t>(last)].own = {299, 300};
      StridedCall call(rows, 300, 1, 1, 64, MaskRule(table.data()));
      expect_near(call.run(AttendKernel::hopper, 1), call.run(AttendKernel::tensor, 1));
    }
  }
}

TEST(Hopper, VisitsBlocksOfSeveralImagesAndHistoriesWithGaps) {
  const std::vector<std::int32_t> boundaries{0, 130, 131, 131, 330};
  StridedCall images(330, 330, 1, 1, 80, MaskRule(BlockDiagonal{boundaries.data(), 4}));
  expect_near(images.run(AttendKernel::hopper, 1), images.run(AttendKernel::tensor, 1));
  // The last tile of the history reaches over the gap into what rows see of their own.
  StridedCall masks(140, 500, 3, 1, 128, MaskRule(MaskRows{170, 200, 140}));
  expect_near(masks.run(AttendKernel::hopper, 1), masks.run(AttendKernel::tensor, 1));
  expect_near(masks.run(AttendKernel::hopper, 4), masks.run(AttendKernel::tensor, 1));
}

TEST(Hopper, WhatNobodySeesMayBeNoNumber) {
  for (const Index dim : {64, 80, 128}) {
    StridedCall call(40, 400, 2, 1, dim, MaskRule(MaskRows{150, 260, 40}));
    const auto wanted = call.run(AttendKernel::hopper, 1);
    for (Index key = 0; key < 400; ++key) {
      if (key >= 150 && (key < 260 || key >= 300)) call.spoil(key);
    }
    EXPECT_EQ(call.run(AttendKernel::hopper, 1), wanted);
  }
}

TEST(Hopper, RowsThatSeeNothingAreZero) {
  StridedCall call(3, 200, 2, 1, 64, MaskRule(MaskRows{0, 4, 0}));
  for (const Index parts : {1, 3}) {
    for (const float value : call.run(AttendKernel::hopper, parts)) EXPECT_EQ(value, 0);
  }
}

TEST(Hopper, IsTakenWhereItIsWantedAndCanRunALongCall) {
  StridedCall made(40, 64, 2, 1, 128, MaskRule(Causal{24}));
  const auto kernel_of = [&](const auto& change) {
    AttendCall<bfloat16> call = made.call;
    change(call);
    return kernel_for(call, Attention::hopper);
  };
  EXPECT_EQ(kernel_for(made.call), AttendKernel::tensor);
  EXPECT_EQ(kernel_for(made.call, Attention::mma), AttendKernel::tensor);
  EXPECT_EQ(kernel_of([](auto&) {}), AttendKernel::hopper);
  EXPECT_EQ(kernel_of([](auto& call) { call.y.rows = 32; }), AttendKernel::tensor);
  EXPECT_EQ(kernel_of([](auto& call) { call.y.dim = 96; }), AttendKernel::tensor);
  EXPECT_EQ(kernel_of([](auto& call) { call.key.stride = 3841; }), AttendKernel::tiled);
  EXPECT_EQ(kernel_of([](auto& call) { call.scale = -1; }), AttendKernel::tensor);
  EXPECT_EQ(kernel_of([](auto& call) { call.key.rows = 0; }), AttendKernel::tensor);
  bfloat16 table{};
  EXPECT_EQ(kernel_of([&](auto& call) { call.bias.vertical = &table; }), AttendKernel::tensor);

  // The vision tower fills the device; a mask pass of few rows is split.
  StridedCall small(40, 2174, 2, 1, 128, MaskRule(MaskRows{1150, 2134, 40}));
  // Planned for 2560 keys, the next multiple of key_step: 20 tiles, two a part at least.
  EXPECT_EQ(split_of(small.call, AttendKernel::hopper, 132).parts, 10);
  StridedCall tower(1024, 1024, 16, 16, 80, MaskRule(Bidirectional{1024}));
  EXPECT_EQ(split_of(tower.call, AttendKernel::hopper, 132).parts, 1);
}

TEST(Hopper, AMapNamesTheBoxOfAViewAndADriverMustBeThere) {
  StridedCall made(40, 64, 4, 2, 80, MaskRule(Causal{24}));
  const TileMap map = tile_map(made.call.key, Swizzle::bytes_32, 128);
  EXPECT_EQ(map.data, made.call.key.data);
  EXPECT_EQ(std::vector<std::uint64_t>(map.extents, map.extents + 3),
            (std::vector<std::uint64_t>{80, 2, 64}));
  EXPECT_EQ(std::vector<std::uint64_t>(map.strides, map.strides + 2),
            (std::vector<std::uint64_t>{160, (8 * 80 + 8) * 2}));
  EXPECT_EQ(std::vector<std::uint32_t>(map.box, map.box + 3),
            (std::vector<std::uint32_t>{16, 1, 128}));
  EXPECT_EQ(attention_here(Attention::mma), Attention::mma);
  if (can_encode_maps()) GTEST_SKIP() << "this machine has a driver";
  EXPECT_EQ(attention_here(Attention::hopper), Attention::mma);
  std::uint64_t words[16]{};
  try {
    encode_map(words, map);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::resource);
    EXPECT_STREQ(error.what(),
                 "cuda: tensor map: expected cuTensorMapEncodeTiled in the driver, found none");
  }
}

TEST(Hopper, IsWhatTheCommandAsksAnEngineForBesideAnyWeights) {
  using BrainEngine = Engine<bfloat16>;
  EXPECT_EQ(command::cuda_arguments<BrainEngine>("int8", "hopper"),
            std::tuple(Weights::int8, Attention::hopper));
  EXPECT_EQ(command::cuda_arguments<BrainEngine>("bf16", "hopper"),
            std::tuple(Weights::full, Attention::hopper));
  for (const char* attention : {"", "mma"}) {
    EXPECT_EQ(command::cuda_arguments<BrainEngine>("fp8", attention),
              std::tuple(Weights::fp8, Attention::mma));
  }
}

}  // namespace
}  // namespace stamp::cuda
