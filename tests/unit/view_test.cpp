// SPDX-License-Identifier: Apache-2.0
// Views, their strides, and reshaping without copies.
#include <gtest/gtest.h>

#include <numeric>
#include <stamp/tensor/reshape.hpp>
#include <vector>

namespace {

using namespace stamp;

template <class Action>
std::string sentence_of(const Action& action) {
  try {
    (void)action();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    return error.what();
  }
  return "no error";
}

class Views : public ::testing::Test {
 protected:
  Views() { std::iota(numbers.begin(), numbers.end(), 0); }
  std::vector<int> numbers = std::vector<int>(60);
  View<int, Tokens, Hidden> matrix{numbers.data(), Tokens{5}, Hidden{12}};
};

TEST_F(Views, DenseViewsAreRowMajor) {
  EXPECT_EQ(matrix.stride(), 12);
  EXPECT_EQ(matrix.size(), 60);
  EXPECT_EQ(matrix.row_size(), 12);
  EXPECT_TRUE(matrix.dense());
  EXPECT_EQ(matrix[3][4], 40);
  EXPECT_EQ(matrix.axis<Hidden>().size, 12);
  EXPECT_EQ(matrix.axis_at<0>().size, 5);
  EXPECT_EQ(describe(matrix), "(Tokens 5, Hidden 12)");
}

TEST_F(Views, AreWindowsNotCopies) {
  matrix[1][2] = -1;
  EXPECT_EQ(numbers[14], -1);
  const View<const int, Tokens, Hidden> reads = matrix;
  EXPECT_EQ(reads.data(), numbers.data());
  static_assert(!std::is_convertible_v<View<const int, Tokens>, View<int, Tokens>>);
  static_assert(!std::is_convertible_v<View<int, Tokens>, View<int, Hidden>>);
}

TEST_F(Views, RowsKeepTheStride) {
  const auto middle = rows(matrix, 2, 2);
  EXPECT_EQ(describe(middle), "(Tokens 2, Hidden 12)");
  EXPECT_EQ(middle[1][0], 36);
  EXPECT_EQ(rows(matrix, 5, 0).size(), 0);
  EXPECT_EQ(sentence_of([&] { return rows(matrix, 4, 2); }),
            "rows: expected a range inside (Tokens 5, Hidden 12), found 4 to 6");
  EXPECT_NE(sentence_of([&] { return rows(matrix, -1, 2); }), "no error");
  EXPECT_NE(sentence_of([&] { return rows(matrix, 0, -1); }), "no error");
}

TEST_F(Views, ColumnsAreStridedAndRenamed) {
  const View<int, Tokens, Queries> slice = columns(matrix, 4, Queries{3});
  EXPECT_EQ(slice.stride(), 12);
  EXPECT_FALSE(slice.dense());
  EXPECT_EQ(slice[2][1], 29);
  EXPECT_TRUE(rows(slice, 1, 1).dense()) << "one row has no gap";
  EXPECT_EQ(sentence_of([&] { return columns(matrix, 10, Queries{3}); }),
            "columns: expected a range inside (Tokens 5, Hidden 12), found 10 to 13");
  EXPECT_NE(sentence_of([&] { return columns(matrix, -1, Queries{3}); }), "no error");
}

TEST_F(Views, SplitAndMergeAreInverse) {
  const auto slice = columns(matrix, 2, Queries{6});
  const View<int, Tokens, Heads, HeadDim> heads = split(slice, Heads{2}, HeadDim{3});
  EXPECT_EQ(heads[1][1][2], 12 + 2 + 5);
  EXPECT_EQ(heads.stride(), 12);
  const auto again = merge<Queries>(heads);
  EXPECT_EQ(again.data(), slice.data());
  EXPECT_EQ(again.stride(), slice.stride());
  EXPECT_EQ(again.extents(), slice.extents());
  EXPECT_EQ(sentence_of([&] { return split(slice, Heads{4}, HeadDim{2}); }),
            "split: expected Queries 8, found Queries 6");
}

TEST_F(Views, GroupedRowsStandSideBySide) {
  const auto four = rows(matrix, 0, 4);
  const View<int, Tokens, Merged> grouped = group_rows<Tokens, Merged>(four, 2);
  EXPECT_EQ(describe(grouped), "(Tokens 2, Merged 24)");
  EXPECT_EQ(grouped[1][0], 24);
  EXPECT_EQ(grouped[1][13], 37);
  EXPECT_NE(sentence_of([&] { return group_rows<Tokens, Merged>(matrix, 2); }), "no error");
  EXPECT_NE(sentence_of([&] { return group_rows<Tokens, Merged>(four, 0); }), "no error");
  EXPECT_NE(sentence_of([&] { return group_rows<Tokens, Merged>(columns(four, 0, Hidden{6}), 2); }),
            "no error")
      << "a strided matrix cannot be grouped";
}

TEST_F(Views, RenameKeepsTheNumbers) {
  const View<int, Keys, Ffn> renamed = rename<Keys, Ffn>(columns(matrix, 3, Hidden{2}));
  EXPECT_EQ(renamed[4][1], 52);
  EXPECT_EQ(describe(renamed), "(Keys 5, Ffn 2)");
}

TEST_F(Views, ShapeChecksNameBothShapes) {
  EXPECT_EQ(sentence_of([&] {
              check_same_shape("add", matrix, rows(matrix, 0, 4));
              return 0;
            }),
            "add: expected (Tokens 5, Hidden 12), found (Tokens 4, Hidden 12)");
  EXPECT_EQ(sentence_of([&] {
              check_same_shape("add", matrix, split(matrix, Heads{3}, HeadDim{4}));
              return 0;
            }),
            "add: expected (Tokens 5, Hidden 12), found (Tokens 5, Heads 3, HeadDim 4)");
  EXPECT_EQ(sentence_of([&] {
              check_extent("matmul", Ffn{8960}, Ffn{7});
              return 0;
            }),
            "matmul: expected Ffn 8960, found Ffn 7");
}

}  // namespace
