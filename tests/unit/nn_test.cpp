// SPDX-License-Identifier: Apache-2.0
// Layers are the operations they say they are, in the order that their formulas say.
#include <gtest/gtest.h>

#include <cmath>
#include <parity/random_weights.hpp>
#include <stamp/model/stamp/model.hpp>
#include <stamp/reference/engine.hpp>
#include <unit/turned_by.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<double>;
using Numbers = std::vector<double>;

/// Weights of one layer, bound, and a plain reading of them.
template <class Layer>
struct Bound {
  Engine engine{2};
  Layer layer;
  test::RandomWeights weights;

  explicit Bound(Layer unbound) : layer(std::move(unbound)), weights(expected_tensors(layer), 3) {
    bind(engine, layer, weights);
  }
  Numbers tensor(const std::string& name) const {
    const auto stored = weights.find(name);
    Numbers numbers(static_cast<std::size_t>(stored->size()));
    widen_stored(*stored, 0, stored->size(), numbers.data());
    return numbers;
  }
};

template <class T, Axis... Axes>
Numbers numbers_of(const View<T, Axes...>& view) {
  return {view.data(), view.data() + view.size()};
}

/// x [rows, in] · Wᵀ + b.
Numbers linear(const Numbers& x, const Numbers& w, const Numbers& b, std::size_t in) {
  Numbers y;
  const std::size_t out = w.size() / in;
  for (std::size_t row = 0; row < x.size() / in; ++row) {
    for (std::size_t o = 0; o < out; ++o) {
      double sum = b.empty() ? 0 : b[o];
      for (std::size_t i = 0; i < in; ++i) sum += x[row * in + i] * w[o * in + i];
      y.push_back(sum);
    }
  }
  return y;
}

void expect_near(const Numbers& expected, const Numbers& found) {
  ASSERT_EQ(expected.size(), found.size());
  for (std::size_t at = 0; at < expected.size(); ++at) ASSERT_NEAR(expected[at], found[at], 1e-12);
}

Numbers added(Numbers numbers, double number) {
  for (double& value : numbers) value += number;
  return numbers;
}

TEST(SwiGlu, IsDownOfSiluGateTimesUp) {
  Bound bound(SwiGlu<Engine>(Hidden{5}, Ffn{7}));
  auto x = test::random_numbers(15, 1);
  const auto frame = bound.engine.frame();
  Numbers y(15, 0.5);  // the residual that the layer adds to
  bound.layer(bound.engine, View<double, Tokens, Hidden>(y.data(), Tokens{3}, Hidden{5}),
              View<double, Tokens, Hidden>(x.data(), Tokens{3}, Hidden{5}));
  Numbers inner = linear(x, bound.tensor("gate_proj.weight"), {}, 5);
  const Numbers up = linear(x, bound.tensor("up_proj.weight"), {}, 5);
  for (std::size_t at = 0; at < inner.size(); ++at) {
    inner[at] = inner[at] / (1 + std::exp(-inner[at])) * up[at];
  }
  expect_near(added(linear(inner, bound.tensor("down_proj.weight"), {}, 7), 0.5), y);
}

TEST(QuickGeluMlp, IsFc2OfQuickGeluOfFc1) {
  Bound bound(QuickGeluMlp<Engine>(VisionHidden{5}, VisionFfn{7}));
  auto x = test::random_numbers(10, 1);
  const auto frame = bound.engine.frame();
  Numbers y(10, 0.5);
  bound.layer(bound.engine,
              View<double, Patches, VisionHidden>(y.data(), Patches{2}, VisionHidden{5}),
              View<double, Patches, VisionHidden>(x.data(), Patches{2}, VisionHidden{5}));
  Numbers inner = linear(x, bound.tensor("fc1.weight"), bound.tensor("fc1.bias"), 5);
  for (double& z : inner) z = z / (1 + std::exp(-1.702 * z));
  expect_near(added(linear(inner, bound.tensor("fc2.weight"), bound.tensor("fc2.bias"), 7), 0.5),
              y);
}

TEST(PatchMerger, PutsTheFourPatchesOfAGroupSideBySide) {
  const auto config = test::tiny_config().vision;
  Bound bound(qwen2_vl::PatchMerger<Engine>{config});
  auto x = test::random_numbers(8 * 16, 1);
  Tensor<double, Tokens, Hidden> y(Tokens{2}, Hidden{48});
  bound.layer(bound.engine, y.view(),
              View<double, Patches, VisionHidden>(x.data(), Patches{8}, VisionHidden{16}));
  const Numbers weight = bound.tensor("ln_q.weight");
  const Numbers bias = bound.tensor("ln_q.bias");
  Numbers normal;
  for (std::size_t patch = 0; patch < 8; ++patch) {
    double mean = 0;
    double variance = 0;
    for (std::size_t at = 0; at < 16; ++at) mean += x[patch * 16 + at] / 16;
    for (std::size_t at = 0; at < 16; ++at) variance += std::pow(x[patch * 16 + at] - mean, 2) / 16;
    for (std::size_t at = 0; at < 16; ++at) {
      normal.push_back((x[patch * 16 + at] - mean) / std::sqrt(variance + 1e-6) * weight[at] +
                       bias[at]);
    }
  }
  Numbers inner = linear(normal, bound.tensor("mlp.0.weight"), bound.tensor("mlp.0.bias"), 64);
  for (double& z : inner) z *= 0.5 * std::erfc(-z / std::sqrt(2.0));  // the exact GELU
  expect_near(linear(inner, bound.tensor("mlp.2.weight"), bound.tensor("mlp.2.bias"), 64),
              y.values());
}

TEST(VisionAttention, OneFusedProductThirdsOfItsColumnsAndNoRotationAtTheOrigin) {
  Bound bound(VisionAttention<Engine>(VisionHidden{8}, Heads{2}));
  auto x = test::random_numbers(3 * 8, 1);
  const auto frame = bound.engine.frame();
  const auto at = test::turned_by(bound.engine, Patches{3}, Pairs{2}, std::vector<double>(6, 0.0));
  Numbers y(24, 0.5);
  bound.layer(bound.engine,
              View<double, Patches, VisionHidden>(y.data(), Patches{3}, VisionHidden{8}),
              View<double, Patches, VisionHidden>(x.data(), Patches{3}, VisionHidden{8}), at,
              Bidirectional{3});
  const Numbers fused = linear(x, bound.tensor("qkv.weight"), bound.tensor("qkv.bias"), 8);
  const auto part = [&](std::size_t which, std::size_t patch, std::size_t head, std::size_t d) {
    return fused[patch * 24 + which * 8 + head * 4 + d];
  };
  Numbers context(24, 0.0);
  for (std::size_t head = 0; head < 2; ++head) {
    for (std::size_t query = 0; query < 3; ++query) {
      Numbers weight(3, 0.0);
      double sum = 0;
      for (std::size_t key = 0; key < 3; ++key) {
        for (std::size_t d = 0; d < 4; ++d) {
          weight[key] += part(0, query, head, d) * part(1, key, head, d) / 2;  // 4^-0.5
        }
        sum += weight[key] = std::exp(weight[key]);
      }
      for (std::size_t key = 0; key < 3; ++key) {
        for (std::size_t d = 0; d < 4; ++d) {
          context[query * 8 + head * 4 + d] += weight[key] / sum * part(2, key, head, d);
        }
      }
    }
  }
  expect_near(
      added(linear(context, bound.tensor("proj.weight"), bound.tensor("proj.bias"), 8), 0.5), y);
}

TEST(Attention, WritesRotatedKeysToItsSlotsAndReadsEarlierOnes) {
  Bound bound(Attention<Engine>(Hidden{12}, Heads{3}, KvHeads{1}, HeadDim{4}));
  auto& engine = bound.engine;
  const auto frame = engine.frame();
  auto x = test::random_numbers(5 * 12, 1);
  const auto view = [&](Index first, Index count) {
    return View<double, Tokens, Hidden>(x.data() + first * 12, Tokens{count}, Hidden{12});
  };
  const std::vector<double> angles{0.3, 0.1, 0.6, 0.2, 0.9, 0.3, 1.2, 0.4, 1.5, 0.5};
  const auto table = [&](Index first, Index count) {
    const auto begin = angles.begin() + 2 * first;
    return test::turned_by(engine, Tokens{count}, Pairs{2}, {begin, begin + 2 * count});
  };
  KvCache<Engine> whole(1, KvHeads{1}, HeadDim{4});
  whole.reserve(engine, 5);
  Numbers at_once(5 * 12);
  bound.layer(engine, View<double, Tokens, Hidden>(at_once.data(), Tokens{5}, Hidden{12}),
              view(0, 5), table(0, 5), whole.layer(0), 0, Causal{0});
  KvCache<Engine> steps(1, KvHeads{1}, HeadDim{4});
  steps.reserve(engine, 9);
  Numbers in_two(5 * 12);
  const View<double, Tokens, Hidden> y(in_two.data(), Tokens{5}, Hidden{12});
  bound.layer(engine, rows(y, 0, 3), view(0, 3), table(0, 3), steps.layer(0), 0, Causal{0});
  bound.layer(engine, rows(y, 3, 2), view(3, 2), table(3, 2), steps.layer(0), 3, Causal{3});
  expect_near(at_once, in_two);

  const Numbers key = linear({x.begin() + 12, x.begin() + 24}, bound.tensor("k_proj.weight"),
                             bound.tensor("k_proj.bias"), 12);
  const auto cached = steps.layer(0).keys.view();
  EXPECT_NEAR(cached[1][0][0], key[0] * std::cos(0.6) - key[2] * std::sin(0.6), 1e-13);
  EXPECT_NEAR(cached[1][0][3], key[3] * std::cos(0.2) + key[1] * std::sin(0.2), 1e-13);
  EXPECT_NEAR(steps.layer(0).values.view()[1][0][0],
              linear({x.begin() + 12, x.begin() + 24}, bound.tensor("v_proj.weight"),
                     bound.tensor("v_proj.bias"), 12)[0],
              1e-13);
}

TEST(DecoderLayer, AddsBothHalvesToTheResidualStream) {
  const auto config = test::tiny_config().text;
  Bound bound(qwen2_vl::DecoderLayer<Engine>{config});
  auto& engine = bound.engine;
  auto& layer = bound.layer;
  const auto frame = engine.frame();
  auto x = test::random_numbers(2 * 48, 1);
  Numbers by_hand = x;
  const auto at = test::turned_by(engine, Tokens{2}, Pairs{4}, std::vector<double>(8, 0.25));
  KvCache<Engine> cache(1, KvHeads{2}, HeadDim{8});
  cache.reserve(engine, 2);
  using Stream = View<double, Tokens, Hidden>;
  layer(engine, Stream(x.data(), Tokens{2}, Hidden{48}), at, cache.layer(0), 0, Causal{0});

  const Stream y(by_hand.data(), Tokens{2}, Hidden{48});
  layer.self_attn(engine, y, layer.input_layernorm(engine, y), at, cache.layer(0), 0, Causal{0});
  layer.mlp(engine, y, layer.post_attention_layernorm(engine, y));
  expect_near(by_hand, x);
}

TEST(Stamp, TiedLogitsAreTheEmbeddingUntiedOnesTheHead) {
  auto config = test::tiny_config();
  const auto x = test::random_numbers(48, 1);
  for (const bool tied : {true, false}) {
    config.text.tie_word_embeddings = tied;
    Bound bound(Stamp<Engine>{config});
    const auto frame = bound.engine.frame();
    auto copy = x;
    const auto found = bound.engine.allocate<double>(Tokens{1}, Vocab{config.text.vocab_size});
    bound.layer.logits(bound.engine, found,
                       View<double, Tokens, Hidden>(copy.data(), Tokens{1}, Hidden{48}));
    expect_near(
        linear(x, bound.tensor(tied ? "model.embed_tokens.weight" : "lm_head.weight"), {}, 48),
        numbers_of(found));
  }
}

}  // namespace
