// SPDX-License-Identifier: Apache-2.0
// requirement::HasMatmul on every engine, and the steps that are several products of one input.
#include <stamp/nn/attention.hpp>
#include <stamp/nn/mlp.hpp>

#include "engines.hpp"
#include "plain_matmul.hpp"

namespace stamp::test {
namespace {

template <class B>
class Matmul : public Operation<B> {};
TYPED_TEST_SUITE(Matmul, Engines, EngineName);

struct Shape {
  Index rows, in, out, margin;
};
constexpr Shape shapes[] = {{1, 1, 1, 0},     {1, 64, 31, 0},   {31, 1, 7, 2},   {7, 13, 1, 1},
                            {17, 53, 129, 5}, {5, 128, 128, 0}, {3, 97, 257, 3}, {0, 8, 8, 0}};

TYPED_TEST(Matmul, EqualsThePlainLoopOverOddShapesWithAndWithoutBias) {
  using T = typename TypeParam::Element;
  for (const auto& [rows, in, out, margin] : shapes) {
    const auto frame = this->backend.frame();
    const StoredWeight weight(ElementType::float32, {out, in}, 1);
    const StoredWeight bias(ElementType::float32, {out}, 2);
    const auto w = this->backend.matrix(weight.stored(), Ffn{out}, Hidden{in});
    const auto b = this->backend.vector(bias.stored(), Ffn{out});
    const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{rows}, Hidden{in}, 3, margin);
    const Operand<TypeParam, Tokens, Ffn> y(this->backend, Tokens{rows}, Ffn{out}, 4, margin);
    const std::string what =
        std::to_string(rows) + " x " + std::to_string(in) + " to " + std::to_string(out);
    matmul(this->backend, y.view(), x.input(), w);
    expect_close<T>(plain_matmul(x.values(), multiplied<TypeParam>(weight), {}, rows, in, out),
                    y.found(), what);
    matmul(this->backend, y.view(), x.input(), w, b);
    expect_close<T>(plain_matmul(x.values(), multiplied<TypeParam>(weight), bias.rounded_to<T>(),
                                 rows, in, out),
                    y.found(), what + " with bias");
    EXPECT_EQ(x.values(), x.found()) << "the input was written to";
  }
}

/// What nn/linear.hpp keeps.
template <Backend B, Axis Out>
struct Affine {
  typename B::template Matrix<Out, Hidden> weight;
  typename B::template Vector<Out> bias;
};

TYPED_TEST(Matmul, QueryKeyAndValueEqualThePlainLoop) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  struct Sizes {
    Index rows, in, queries, keys, margin;
  };
  for (const auto& [rows, in, queries, keys, margin] :
       {Sizes{1, 64, 96, 32, 0}, Sizes{4, 33, 130, 70, 1}, Sizes{7, 40, 16, 8, 0},
        Sizes{130, 48, 100, 20, 2}}) {
    const auto frame = engine.frame();
    const auto loaded = [&]<Axis Out>(Out out, const StoredWeight& weight,
                                      const StoredWeight& bias) {
      return Affine<TypeParam, Out>{engine.matrix(weight.stored(), out, Hidden{in}),
                                    engine.vector(bias.stored(), out)};
    };
    const StoredWeight wq(ElementType::float32, {queries, in}, 1);
    const StoredWeight bq(ElementType::float32, {queries}, 2);
    const StoredWeight wk(ElementType::float32, {keys, in}, 3);
    const StoredWeight bk(ElementType::float32, {keys}, 4);
    const StoredWeight wv(ElementType::float32, {keys, in}, 5);
    const StoredWeight bv(ElementType::float32, {keys}, 6);
    const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{in}, 7, margin);
    const Operand<TypeParam, Tokens, Queries> q(engine, Tokens{rows}, Queries{queries}, 8, margin);
    const Operand<TypeParam, Tokens, KeyValues> k(engine, Tokens{rows}, KeyValues{keys}, 9);
    const Operand<TypeParam, Tokens, KeyValues> v(engine, Tokens{rows}, KeyValues{keys}, 10,
                                                  margin);
    matmul_qkv(engine, q.view(), k.view(), v.view(), x.input(), loaded(Queries{queries}, wq, bq),
               loaded(KeyValues{keys}, wk, bk), loaded(KeyValues{keys}, wv, bv));
    const auto expect = [&](const StoredWeight& weight, const StoredWeight& bias, Index out,
                            const auto& y, const char* what) {
      expect_close<T>(plain_matmul(x.values(), multiplied<TypeParam>(weight), bias.rounded_to<T>(),
                                   rows, in, out),
                      y.found(), what + (" of " + std::to_string(rows) + " rows"));
    };
    expect(wq, bq, queries, q, "query");
    expect(wk, bk, keys, k, "key");
    expect(wv, bv, keys, v, "value");
  }
}

/// What nn/rms_norm.hpp keeps.
template <Backend B>
struct Norm {
  Hidden axis;
  double eps;
  typename B::template Vector<Hidden> weight;
};

TYPED_TEST(Matmul, QueryKeyAndValueOfANormEqualTheirParts) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  for (const auto& [rows, in, out, margin] :
       {Shape{1, 64, 96, 0}, Shape{4, 33, 70, 1}, Shape{7, 40, 16, 2}}) {
    const auto frame = engine.frame();
    const StoredWeight w(ElementType::float32, {out, in}, 1);
    const StoredWeight b(ElementType::float32, {out}, 2);
    const StoredWeight n(ElementType::float32, {in}, 3);
    const Norm<TypeParam> norm{Hidden{in}, 1e-5, engine.vector(n.stored(), Hidden{in})};
    const Affine<TypeParam, Queries> to_query{engine.matrix(w.stored(), Queries{out}, Hidden{in}),
                                              engine.vector(b.stored(), Queries{out})};
    const Affine<TypeParam, KeyValues> to_key{engine.matrix(w.stored(), KeyValues{out}, Hidden{in}),
                                              engine.vector(b.stored(), KeyValues{out})};
    const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{in}, 4, margin);
    const Operand<TypeParam, Tokens, Hidden> normal(engine, Tokens{rows}, Hidden{in}, 5);
    const Operand<TypeParam, Tokens, Queries> parts(engine, Tokens{rows}, Queries{out}, 6);
    const Operand<TypeParam, Tokens, Queries> q(engine, Tokens{rows}, Queries{out}, 7);
    const Operand<TypeParam, Tokens, KeyValues> k(engine, Tokens{rows}, KeyValues{out}, 8);
    const Operand<TypeParam, Tokens, KeyValues> v(engine, Tokens{rows}, KeyValues{out}, 9);
    rms_norm_matmul_qkv(engine, q.view(), k.view(), v.view(), x.view(), norm, to_query, to_key,
                        to_key);
    rms_norm(engine, normal.view(), x.input(), norm.weight, norm.eps);
    matmul(engine, parts.view(), normal.input(), to_query.weight, to_query.bias);
    const std::string what = std::to_string(rows) + " rows of " + std::to_string(in);
    expect_close<T>(parts.found(), q.found(), "query, " + what);
    expect_close<T>(parts.found(), k.found(), "key, " + what);
    expect_close<T>(parts.found(), v.found(), "value, " + what);
    EXPECT_EQ(x.values(), x.found()) << "the input was written to";
  }
}

constexpr Index rows_of_a_pass[] = {1, 2, 3, 4, 5, 17, 64};
constexpr Index module_width = 48;

/// A tensor of a module as an engine with this element multiplies with it.
template <Backend B>
std::vector<double> numbers_of(const RandomWeights& weights, const std::string& name) {
  const StoredTensor stored = *weights.find(name);
  std::vector<float> wide(static_cast<std::size_t>(stored.size()));
  widen_stored(stored, 0, std::ssize(wide), wide.data());
  std::vector<double> numbers(wide.begin(), wide.end());
  if (rounds_weights<B> || stored.rank == 1) {
    for (double& number : numbers) number = rounded<typename B::Element>(number);
  }
  return numbers;
}

template <Backend B, Axis R, Axis C>
std::vector<double> downloaded(B& engine, const View<typename B::Element, R, C>& view) {
  const auto dense = engine.template allocate<typename B::Element>(view.template axis_at<0>(),
                                                                   view.template axis_at<1>());
  copy(engine, dense, view);
  std::vector<typename B::Number> numbers(static_cast<std::size_t>(view.size()));
  engine.download(std::span(numbers), dense);
  return {numbers.begin(), numbers.end()};
}

TYPED_TEST(Matmul, QueryKeyAndValueOfAModuleEqualThePlainLoop) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  for (const Index dim : {16, 5}) {
    Attention<TypeParam> attention(Hidden{module_width}, Heads{6}, KvHeads{2}, HeadDim{dim});
    const RandomWeights weights(expected_tensors(attention), 3);
    bind(engine, attention, weights);
    for (const Index rows : rows_of_a_pass) {
      const auto frame = engine.frame();
      const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{module_width}, 7);
      const auto& [to_query, to_key, to_value] =
          std::tie(attention.q_proj, attention.k_proj, attention.v_proj);
      const auto room = allocate_qkv(engine, Tokens{rows}, to_query, to_key, to_value);
      const QueryKeyValue<T, Tokens, Queries, KeyValues> dense{
          engine.template allocate<T>(Tokens{rows}, to_query.out),
          engine.template allocate<T>(Tokens{rows}, to_key.out),
          engine.template allocate<T>(Tokens{rows}, to_value.out)};
      for (const auto& y : {room, dense}) {
        matmul_qkv(engine, y.query, y.key, y.value, x.input(), to_query, to_key, to_value);
        const auto expect = [&](const auto& view, const std::string& name) {
          expect_close<T>(plain_matmul(x.values(), numbers_of<TypeParam>(weights, name + ".weight"),
                                       numbers_of<TypeParam>(weights, name + ".bias"), rows,
                                       module_width, view.extents()[1]),
                          downloaded(engine, view), name + " of " + std::to_string(rows) + " rows");
        };
        expect(y.query, "q_proj");
        expect(y.key, "k_proj");
        expect(y.value, "v_proj");
      }
    }
  }
}

TYPED_TEST(Matmul, TheMlpOfAModuleIsItsParts) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  for (const Index inner : {40, 21}) {
    SwiGlu<TypeParam> mlp(Hidden{module_width}, Ffn{inner});
    const RandomWeights weights(expected_tensors(mlp), 3);
    bind(engine, mlp, weights);
    for (const Index rows : rows_of_a_pass) {
      const auto frame = engine.frame();
      const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{module_width}, 4);
      const Operand<TypeParam, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{module_width}, 5);
      const Operand<TypeParam, Tokens, Hidden> parts(engine, Tokens{rows}, Hidden{module_width}, 5);
      mlp(engine, y.view(), x.input());
      const auto gate = mlp.gate_proj(engine, x.input());
      swiglu(engine, gate, mlp.up_proj(engine, x.input()));
      matmul_add(engine, parts.view(), gate, mlp.down_proj.weight);
      // Products of other sums may round the inner numbers, of order one, the other way.
      constexpr Tolerance own = tolerance<T>();
      expect_close<T>(parts.found(), y.found(), std::to_string(rows) + " rows",
                      {own.absolute + 4 * own.relative, own.relative});
    }
  }
}

TYPED_TEST(Matmul, TakesWeightsOfEveryStoredTypeAtAnyAlignment) {
  using T = typename TypeParam::Element;
  for (const ElementType type :
       {ElementType::float32, ElementType::float64, ElementType::bfloat16, ElementType::float16}) {
    for (const Index offset : {0, 1, 2}) {
      const auto frame = this->backend.frame();
      const StoredWeight weight(type, {19, 11}, 5, offset);
      const auto w = this->backend.matrix(weight.stored(), Ffn{19}, Hidden{11});
      const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{3}, Hidden{11}, 6);
      const Operand<TypeParam, Tokens, Ffn> y(this->backend, Tokens{3}, Ffn{19}, 7);
      matmul(this->backend, y.view(), x.input(), w);
      expect_close<T>(plain_matmul(x.values(), multiplied<TypeParam>(weight), {}, 3, 11, 19),
                      y.found(),
                      std::string(name_of(type)) + " at offset " + std::to_string(offset));
    }
  }
}

TYPED_TEST(Matmul, NamesTheAxisThatDoesNotFit) {
  auto& engine = this->backend;
  const StoredWeight weight(ElementType::float32, {5, 4}, 1);
  const StoredWeight bias(ElementType::float32, {6}, 1);
  const auto w = engine.matrix(weight.stored(), Ffn{5}, Hidden{4});
  const auto wrong_bias = engine.vector(bias.stored(), Ffn{6});
  const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{2}, Hidden{4}, 1);
  const Operand<TypeParam, Tokens, Hidden> wide(engine, Tokens{2}, Hidden{7}, 1);
  const Operand<TypeParam, Tokens, Ffn> y(engine, Tokens{2}, Ffn{5}, 1);
  const Operand<TypeParam, Tokens, Ffn> long_y(engine, Tokens{3}, Ffn{5}, 1);
  const Operand<TypeParam, Tokens, Ffn> wide_y(engine, Tokens{2}, Ffn{9}, 1);
  EXPECT_EQ(usage_error([&] { matmul(engine, y.view(), wide.input(), w); }),
            "matmul: expected Hidden 4, found Hidden 7");
  EXPECT_EQ(usage_error([&] { matmul(engine, long_y.view(), x.input(), w); }),
            "matmul: expected Tokens 3, found Tokens 2");
  EXPECT_EQ(usage_error([&] { matmul(engine, wide_y.view(), x.input(), w); }),
            "matmul: expected Ffn 5, found Ffn 9");
  EXPECT_EQ(usage_error([&] { matmul(engine, y.view(), x.input(), w, wrong_bias); }),
            "matmul bias: expected Ffn 5, found Ffn 6");
}

}  // namespace
}  // namespace stamp::test
