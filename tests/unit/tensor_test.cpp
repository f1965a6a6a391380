// SPDX-License-Identifier: Apache-2.0
// Owning tensors, stored tensors, checked arithmetic on sizes.
#include <gtest/gtest.h>
#include <limits>

#include <stamp/tensor/stored.hpp>
#include <stamp/tensor/tensor.hpp>

namespace {

using namespace stamp;

TEST(Tensor, StartsAsZerosAndMovesWithItsNumbers) {
  Tensor<float, Tokens, Hidden> tensor(Tokens{2}, Hidden{3});
  for (const float value : tensor.values()) EXPECT_EQ(value, 0.0F);
  tensor.view()[1][2] = 7;
  const Tensor<float, Tokens, Hidden> moved = std::move(tensor);
  EXPECT_EQ(moved.view()[1][2], 7.0F);
  EXPECT_EQ(describe(moved.view()), "(Tokens 2, Hidden 3)");
  static_assert(std::is_same_v<decltype(moved.view()), View<const float, Tokens, Hidden>>);
}

TEST(Tensor, DefaultIsEmpty) {
  const Tensor<double, Tokens> tensor;
  EXPECT_EQ(tensor.view().size(), 0);
}

TEST(Tensor, SizesThatOverflowOrAreNegativeAreRefused) {
  using Big = Tensor<float, Tokens, Hidden>;
  EXPECT_THROW(Big(Tokens{Index{1} << 40U}, Hidden{Index{1} << 40U}), Error);
  EXPECT_THROW(Big(Tokens{-1}, Hidden{3}), Error);
}

TEST(StoredTensor, CountsElementsAndBytes) {
  StoredTensor stored;
  stored.type = ElementType::bfloat16;
  stored.rank = 3;
  stored.extents = {2, 3, 5};
  EXPECT_EQ(stored.size(), 30);
  EXPECT_EQ(stored.bytes(), 60);
  EXPECT_EQ(to_string(stored.shape()), "(2, 3, 5)");
  EXPECT_EQ(to_string(std::span<const Index>()), "()");
}

TEST(StoredTensor, TypesHaveTheNamesAndSizesOfSafetensors) {
  struct Row {
    ElementType type;
    const char* name;
    Index bytes;
  };
  for (const Row& row : {Row{ElementType::float32, "F32", 4}, Row{ElementType::float16, "F16", 2},
                         Row{ElementType::bfloat16, "BF16", 2}, Row{ElementType::float64, "F64", 8},
                         Row{ElementType::int32, "I32", 4}, Row{ElementType::int64, "I64", 8}}) {
    EXPECT_EQ(name_of(row.type), row.name);
    EXPECT_EQ(bytes_of(row.type), row.bytes);
  }
}

TEST(CheckedSizes, SumsThatDoNotFitAreRefused) {
  EXPECT_EQ(checked_add(3, 4, "offset"), 7);
  EXPECT_THROW((void)checked_add(std::numeric_limits<Index>::max(), 1, "offset"), Error);
  EXPECT_THROW((void)checked_add(-1, 1, "offset"), Error);
  EXPECT_THROW((void)checked_multiply(-1, 1, "count"), Error);
}

}  // namespace
