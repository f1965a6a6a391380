// SPDX-License-Identifier: Apache-2.0
// Objects of one mask pass keep apart in every kernel: whatever changes about one of them, its
// history's length too, the others' numbers stay the same, bit for bit.
#include <gtest/gtest.h>

#include <cuda/strided_call.hpp>
#include <functional>

namespace stamp::cuda {
namespace {

constexpr Index cells = 50;  // of an object; no tile is a multiple of it
constexpr Index objects = 3;
constexpr Index first = 400;  // slot of the first mask token, some tiles behind the histories

/// Queries of object k stand in rows k·cells …, its keys and values in rows first + k·cells ….
struct Pass {
  explicit Pass(Index dim)
      : call(objects * cells, first + objects * cells, 2, 1, dim,
             MaskRule(MaskBlocks{histories.data(), first, cells})) {}

  std::vector<std::int32_t> histories{70, 31, 150};
  test::StridedCall call;
};

/// Numbers of one object.
[[nodiscard]] std::vector<float> of(Index object, const std::vector<float>& all) {
  const Index size = std::ssize(all) / objects;
  return {all.begin() + object * size, all.begin() + (object + 1) * size};
}

struct Change {
  const char* name;
  std::function<void(Pass&)> apply;  ///< to object 1
};

TEST(Apart, WhatChangesInOneObjectMovesNoBitOfAnother) {
  const std::vector<Change> changes{
      {"a shorter history", [](Pass& pass) { pass.histories[1] = 3; }},
      {"a longer history", [](Pass& pass) { pass.histories[1] = first; }},
      {"no history", [](Pass& pass) { pass.histories[1] = 0; }},
      {"other keys and values",
       [](Pass& pass) { pass.call.redraw_keys_and_values({first + cells, first + 2 * cells}); }},
      {"other queries", [](Pass& pass) { pass.call.redraw_queries({cells, 2 * cells}); }}};
  for (const auto& [kernel, dim] : {std::pair{AttendKernel::tiled, 24},
                                    {AttendKernel::tensor, 80},
                                    {AttendKernel::hopper, 64}}) {
    for (const Index parts : {1, 3}) {
      const auto expected = Pass(dim).call.run(kernel, parts);
      for (const Change& change : changes) {
        SCOPED_TRACE(change.name + std::string(", kernel ") +
                     std::to_string(static_cast<int>(kernel)) + ", parts " + std::to_string(parts));
        Pass changed(dim);
        change.apply(changed);
        const auto found = changed.call.run(kernel, parts);
        EXPECT_EQ(of(0, found), of(0, expected));
        EXPECT_NE(of(1, found), of(1, expected)) << "nothing has changed";
        EXPECT_EQ(of(2, found), of(2, expected));
      }
    }
  }
}

TEST(Apart, KeysBehindTheLastVisibleOneMoveNoBit) {
  for (const auto kernel : {AttendKernel::tiled, AttendKernel::tensor, AttendKernel::hopper}) {
    // The same rows over a tensor of 600 keys and of 1,200: both are split two tiles a part.
    std::vector<std::vector<float>> found;
    for (const Index parts : {5, 10}) {
      test::StridedCall call(3, parts * 128, 6, 2, 64, MaskRule(Causal{500}));
      found.push_back(call.run(kernel, kernel == AttendKernel::tiled ? 2 * parts : parts));
    }
    EXPECT_EQ(found[0], found[1]);
  }
}

}  // namespace
}  // namespace stamp::cuda
