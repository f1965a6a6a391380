// SPDX-License-Identifier: Apache-2.0
// requirement::HasEmbed and HasRotate, and the place of the largest number, on every engine.
#include <algorithm>
#include <limits>
#include <stamp/ops/fused.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Embed : public Operation<B> {};
TYPED_TEST_SUITE(Embed, Engines, EngineName);

template <class B>
class Rotate : public Operation<B> {};
TYPED_TEST_SUITE(Rotate, Engines, EngineName);

template <class B>
class Largest : public Operation<B> {};
TYPED_TEST_SUITE(Largest, Engines, EngineName);

TYPED_TEST(Embed, CopiesRowsOfTheTableOfEveryStoredType) {
  using T = typename TypeParam::Element;
  const std::vector<std::int32_t> ids{0, 12, 5, 5, 1};
  for (const ElementType type :
       {ElementType::float32, ElementType::float64, ElementType::bfloat16, ElementType::float16}) {
    const StoredWeight table(type, {13, 7}, 1, 1);
    const auto w = this->backend.table(table.stored(), Vocab{13}, Hidden{7});
    const Operand<TypeParam, Tokens, Hidden> y(this->backend, Tokens{5}, Hidden{7}, 2, 1);
    embed(this->backend, y.view(), w, ids);
    std::vector<double> expected;
    for (const std::int32_t id : ids) {
      for (std::size_t at = 0; at < 7; ++at) {
        expected.push_back(rounded<T>(table.values()[static_cast<std::size_t>(id) * 7 + at]));
      }
    }
    EXPECT_EQ(expected, y.found()) << name_of(type);
  }
}

TYPED_TEST(Embed, TakesNoTokensAtAll) {
  const StoredWeight table(ElementType::float32, {3, 2}, 1);
  const auto w = this->backend.table(table.stored(), Vocab{3}, Hidden{2});
  const Operand<TypeParam, Tokens, Hidden> y(this->backend, Tokens{0}, Hidden{2}, 2);
  embed(this->backend, y.view(), w, {});
  EXPECT_TRUE(y.found().empty());
}

TYPED_TEST(Embed, RefusesIdsWithoutARowAndShapesThatDoNotFit) {
  auto& engine = this->backend;
  const StoredWeight table(ElementType::float32, {13, 7}, 1);
  const auto w = engine.table(table.stored(), Vocab{13}, Hidden{7});
  const Operand<TypeParam, Tokens, Hidden> y(engine, Tokens{2}, Hidden{7}, 2);
  const Operand<TypeParam, Tokens, Hidden> narrow_y(engine, Tokens{2}, Hidden{6}, 2);
  const std::vector<std::int32_t> good{0, 12};
  const std::vector<std::int32_t> past{0, 13};
  const std::vector<std::int32_t> negative{-1, 0};
  const std::vector<std::int32_t> three{0, 1, 2};
  EXPECT_EQ(usage_error([&] { embed(engine, y.view(), w, past); }),
            "embed: token 1: expected an id below 13, found 13");
  EXPECT_EQ(usage_error([&] { embed(engine, y.view(), w, negative); }),
            "embed: token 0: expected an id below 13, found -1");
  EXPECT_EQ(usage_error([&] { embed(engine, y.view(), w, three); }),
            "embed: expected Tokens 3, found Tokens 2");
  EXPECT_EQ(usage_error([&] { embed(engine, narrow_y.view(), w, good); }),
            "embed: expected Hidden 7, found Hidden 6");
}

/// Turns (x[j], x[j + dim/2]) by angle[row, j], for every head.
std::vector<double> plain_rotate(const std::vector<double>& x, const std::vector<double>& cosine,
                                 const std::vector<double>& sine, Index heads, Index dim) {
  std::vector<double> y = x;
  const Index pairs = dim / 2;
  const auto rows = static_cast<Index>(x.size()) / (heads * dim);
  for (Index row = 0; row < rows; ++row) {
    for (Index head = 0; head < heads; ++head) {
      for (Index j = 0; j < dim; ++j) {
        const auto at = static_cast<std::size_t>((row * heads + head) * dim + j);
        const auto pair = static_cast<std::size_t>(row * pairs + j % pairs);
        const auto half_turned = j < pairs ? -x[at + static_cast<std::size_t>(pairs)]
                                           : x[at - static_cast<std::size_t>(pairs)];
        y[at] = x[at] * cosine[pair] + half_turned * sine[pair];  // x·cos + rotate_half(x)·sin
      }
    }
  }
  return y;
}

TYPED_TEST(Rotate, EqualsThePlainLoop) {
  using T = typename TypeParam::Element;
  using Number = typename TypeParam::Number;
  struct Shape {
    Index rows, heads, dim, margin;
  };
  for (const auto& [rows, heads, dim, margin] :
       {Shape{1, 1, 2, 0}, Shape{5, 3, 16, 4}, Shape{13, 2, 80, 0}, Shape{2, 7, 128, 1},
        Shape{0, 1, 4, 0}}) {
    const Operand<TypeParam, Tokens, Queries> x(this->backend, Tokens{rows}, Queries{heads * dim},
                                                1, margin);
    const auto angles = random_numbers(rows * dim / 2, 2, 7);
    std::vector<Number> cosine;
    std::vector<Number> sine;
    for (const double angle : angles) {
      cosine.push_back(static_cast<Number>(std::cos(angle)));
      sine.push_back(static_cast<Number>(std::sin(angle)));
    }
    const auto c = this->backend.template allocate<Number>(Tokens{rows}, Pairs{dim / 2});
    const auto s = this->backend.template allocate<Number>(Tokens{rows}, Pairs{dim / 2});
    this->backend.upload(c, std::span<const Number>(cosine));
    this->backend.upload(s, std::span<const Number>(sine));
    rotate(this->backend, split(x.view(), Heads{heads}, HeadDim{dim}), c, s);
    expect_close<T>(plain_rotate(x.values(), {cosine.begin(), cosine.end()},
                                 {sine.begin(), sine.end()}, heads, dim),
                    x.found(), std::to_string(heads) + " heads of " + std::to_string(dim));
  }
}

/// `margin` of rows, in numbers; heads that can be read 16 bytes at once, with one that is 8.
template <class TypeParam>
void expect_rotate_and_store_is_its_parts(TypeParam& backend, Index heads, Index dim,
                                          Index margin) {
  using Number = typename TypeParam::Number;
  const auto frame = backend.frame();
  const Index rows = 5;
  const Operand<TypeParam, Tokens, Queries> query(backend, Tokens{rows}, Queries{heads * dim}, 1);
  const Operand<TypeParam, Tokens, Queries> whole(backend, Tokens{rows}, Queries{heads * dim}, 1);
  const Operand<TypeParam, Tokens, KeyValues> key(backend, Tokens{rows}, KeyValues{2 * dim}, 2,
                                                  margin);
  const Operand<TypeParam, Tokens, KeyValues> turned(backend, Tokens{rows}, KeyValues{2 * dim}, 2,
                                                     margin);
  const Operand<TypeParam, Tokens, KeyValues> value(backend, Tokens{rows}, KeyValues{2 * dim}, 3,
                                                    margin);
  const Operand<TypeParam, Keys, KeyValues> keys(backend, Keys{rows}, KeyValues{2 * dim}, 4,
                                                 margin);
  const Operand<TypeParam, Keys, KeyValues> values(backend, Keys{rows}, KeyValues{2 * dim}, 5,
                                                   margin);
  std::vector<Number> cosine;
  std::vector<Number> sine;
  for (const double angle : random_numbers(rows * dim / 2, 6, 7)) {
    cosine.push_back(static_cast<Number>(std::cos(angle)));
    sine.push_back(static_cast<Number>(std::sin(angle)));
  }
  const auto c = backend.template allocate<Number>(Tokens{rows}, Pairs{dim / 2});
  const auto s = backend.template allocate<Number>(Tokens{rows}, Pairs{dim / 2});
  backend.upload(c, std::span<const Number>(cosine));
  backend.upload(s, std::span<const Number>(sine));
  rotate_and_store(backend, split(query.view(), Heads{heads}, HeadDim{dim}),
                   split(keys.view(), KvHeads{2}, HeadDim{dim}),
                   split(values.view(), KvHeads{2}, HeadDim{dim}),
                   split(key.view(), KvHeads{2}, HeadDim{dim}),
                   split(value.view(), KvHeads{2}, HeadDim{dim}), c, s);
  rotate(backend, split(whole.view(), Heads{heads}, HeadDim{dim}), c, s);
  rotate(backend, split(turned.view(), KvHeads{2}, HeadDim{dim}), c, s);
  EXPECT_EQ(query.found(), whole.found());
  EXPECT_EQ(keys.found(), turned.found());
  EXPECT_EQ(values.found(), value.values());
}

TYPED_TEST(Rotate, AndStoreIsItsParts) {
  expect_rotate_and_store_is_its_parts(this->backend, 6, 16, 3);
  expect_rotate_and_store_is_its_parts(this->backend, 6, 16, 8);
  expect_rotate_and_store_is_its_parts(this->backend, 34, 128, 8);
  expect_rotate_and_store_is_its_parts(this->backend, 34, 128, 1);
}

TYPED_TEST(Rotate, NamesTheAxisThatDoesNotFit) {
  using Number = typename TypeParam::Number;
  auto& engine = this->backend;
  const Operand<TypeParam, Tokens, Queries> x(engine, Tokens{3}, Queries{8}, 1);
  const auto heads = split(x.view(), Heads{1}, HeadDim{8});
  const auto good = engine.template allocate<Number>(Tokens{3}, Pairs{4});
  const auto few = engine.template allocate<Number>(Tokens{2}, Pairs{4});
  const auto wide = engine.template allocate<Number>(Tokens{3}, Pairs{5});
  EXPECT_EQ(usage_error([&] { rotate(engine, heads, few, good); }),
            "rotate: expected Tokens 3, found Tokens 2");
  EXPECT_EQ(usage_error([&] { rotate(engine, heads, good, few); }),
            "rotate: expected Tokens 3, found Tokens 2");
  EXPECT_EQ(usage_error([&] { rotate(engine, heads, wide, good); }),
            "rotate: expected Pairs 4, found Pairs 5");
  EXPECT_EQ(usage_error([&] { rotate(engine, heads, good, wide); }),
            "rotate: expected Pairs 4, found Pairs 5");
}

TYPED_TEST(Largest, TheFirstOfTheLargestIsFound) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const Index width : {1, 7, 64, 9001}) {
    const auto frame = engine.frame();
    // A row each: drawn; one number throughout; the largest twice; the largest in the last place;
    // -inf before a number; none above -inf; NaN; +inf.
    Operand<TypeParam, Tokens, Vocab> x(engine, Tokens{8}, Vocab{width}, 1);
    x.change([&](Index row, Index column, double drawn) {
      const bool middle = column == width / 2;
      const bool last = column == width - 1;
      switch (row) {
        case 0:
          return drawn;
        case 1:
          return -2.5;
        case 2:
          return middle || last ? 7.0 : drawn;
        case 3:
          return last ? 7.0 : drawn;
        case 4:
          return last ? -9.0 : -infinity;
        case 5:
          return -infinity;
        case 6:
          return middle ? std::nan("") : drawn;
        default:
          return last ? infinity : drawn;
      }
    });
    std::vector<std::int32_t> expected;
    for (Index row = 0; row < 8; ++row) {
      const auto begin = x.values().begin() + row * width;
      const auto place = std::max_element(begin, begin + width) - begin;
      expected.push_back(row < 5 ? static_cast<std::int32_t>(place) : -1);
    }
    std::vector<std::int32_t> places(8, -7);
    first_largest(engine, std::span(places), x.view());
    EXPECT_EQ(places, expected) << width;
    std::int32_t one = -7;
    first_largest(engine, std::span(&one, 1),
                  View<T, Tokens, Vocab>(x.view().data() + width, Tokens{1}, Vocab{width}));
    EXPECT_EQ(one, 0) << "all alike: the first";
  }
}

}  // namespace
}  // namespace stamp::test
