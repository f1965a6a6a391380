// SPDX-License-Identifier: Apache-2.0
// Layers that multiply one input, on every engine: query, key and value of a module that was bound
// as a whole are the plain loop's, and the MLP is its parts, of few rows and of many.
#include <stamp/nn/attention.hpp>
#include <stamp/nn/mlp.hpp>

#include "engines.hpp"
#include "plain_matmul.hpp"

namespace stamp::test {
namespace {

template <class B>
class OneInput : public Operation<B> {};
TYPED_TEST_SUITE(OneInput, Engines, EngineName);

constexpr Index rows_of_a_pass[] = {1, 2, 3, 4, 5, 17, 64};
constexpr Index width = 48;

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

TYPED_TEST(OneInput, QueryKeyAndValueOfAModuleEqualThePlainLoop) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  for (const Index dim : {16, 5}) {
    Attention<TypeParam> attention(Hidden{width}, Heads{6}, KvHeads{2}, HeadDim{dim});
    const RandomWeights weights(expected_tensors(attention), 3);
    bind(engine, attention, weights);
    for (const Index rows : rows_of_a_pass) {
      const auto frame = engine.frame();
      const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 7);
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
                                       numbers_of<TypeParam>(weights, name + ".bias"), rows, width,
                                       view.extents()[1]),
                          downloaded(engine, view), name + " of " + std::to_string(rows) + " rows");
        };
        expect(y.query, "q_proj");
        expect(y.key, "k_proj");
        expect(y.value, "v_proj");
      }
    }
  }
}

TYPED_TEST(OneInput, TheMlpOfAModuleIsItsParts) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  for (const Index inner : {40, 21}) {
    SwiGlu<TypeParam> mlp(Hidden{width}, Ffn{inner});
    const RandomWeights weights(expected_tensors(mlp), 3);
    bind(engine, mlp, weights);
    for (const Index rows : rows_of_a_pass) {
      const auto frame = engine.frame();
      const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 4);
      const Operand<TypeParam, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{width}, 5);
      const Operand<TypeParam, Tokens, Hidden> parts(engine, Tokens{rows}, Hidden{width}, 5);
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

}  // namespace
}  // namespace stamp::test
