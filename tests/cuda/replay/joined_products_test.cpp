// SPDX-License-Identifier: Apache-2.0
// Above four rows query, key and value are one product, gate and up another: the bits are those of
// the products one by one, and launches, scratch memory and attention's kernel are as they should
// be. cuda::Engine as it stands, on the host.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <memory>
#include <parity/random_weights.hpp>
#include <stamp/cuda.hpp>
#include <stamp/model/qwen2_vl/language.hpp>
#include <unit/turned_by.hpp>

namespace stamp::test {
namespace {

using Numbers = std::vector<float>;
constexpr const char* scope = "model.layers.1";

qwen2_vl::TextConfig config_of(Index hidden) {
  auto config = tiny_config().text;
  config.hidden_size = hidden;
  return config;
}

/// A decoder layer whose weights lie behind one another, or each for itself.
template <class T>
struct Layer {
  using Engine = cuda::Engine<T>;

  Layer(const qwen2_vl::TextConfig& config, bool together, auto... weights)
      : engine(1, weights...), sizes(config), layer(config) {
    const RandomWeights drawn(expected_tensors(layer, scope), 3);
    if (together) {
      bind(engine, layer, drawn, scope);
    } else {
      for_each_leaf(layer, scope, [&](auto& leaf, const std::string& name) {
        stamp::bind(engine, leaf, drawn, name);
      });
    }
  }

  /// The layer of so many rows, with norms joined to what follows them or one by one.
  Numbers run(Index rows, bool joined_norms) {
    KvCache<Engine> cache(1, KvHeads{sizes.num_key_value_heads}, HeadDim{sizes.head_dim()});
    cache.reserve(engine, rows);
    const auto frame = engine.frame();
    const auto drawn = random_numbers(rows * sizes.hidden_size, 5);
    auto x = engine.template allocate<T>(Tokens{rows}, Hidden{sizes.hidden_size});
    engine.upload(x, std::span<const float>(Numbers(drawn.begin(), drawn.end())));
    const Index pairs = sizes.head_dim() / 2;
    const auto at = turned_by(engine, Tokens{rows}, Pairs{pairs},
                              Numbers(static_cast<std::size_t>(rows * pairs), 0.5F));
    host_device() = {};
    if (joined_norms) {
      layer(engine, x, at, cache.layer(0), 0, Causal{0});
    } else {
      const auto first = layer.input_layernorm(engine, x);
      layer.self_attn(engine, x, first, at, cache.layer(0), 0, Causal{0});
      layer.mlp(engine, x, layer.post_attention_layernorm(engine, x));
    }
    Numbers found(static_cast<std::size_t>(x.size()));
    engine.download(std::span(found), x);
    return found;
  }

  Engine engine;
  qwen2_vl::TextConfig sizes;
  qwen2_vl::DecoderLayer<Engine> layer;
};

/// `fewer` launches of more than four rows.
template <class T>
void expect_joined_products_change_no_bit(const qwen2_vl::TextConfig& config, Index fewer,
                                          auto... weights) {
  Layer<T> joined(config, true, weights...);
  Layer<T> apart(config, false, weights...);
  for (const Index rows : {1, 2, 3, 4, 5, 17, 64}) {
    for (const bool norms : {true, false}) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(config.hidden_size));
      const Numbers expected = apart.run(rows, norms);
      const Index kernels = host_device().kernels;
      for (const float number : expected) ASSERT_TRUE(std::isfinite(number));
      EXPECT_EQ(joined.run(rows, norms), expected);
      EXPECT_EQ(kernels - host_device().kernels, rows <= cuda::skinny_rows ? 0 : fewer);
    }
  }
  EXPECT_LE(joined.engine.arena().capacity(), apart.engine.arena().capacity());
}

TEST(JoinedProducts, ChangeNoBit) {
  for (const Index hidden : {96, 78}) {  // rows of 78 numbers are not aligned
    const auto config = config_of(hidden);
    expect_joined_products_change_no_bit<float>(config, 3);
    expect_joined_products_change_no_bit<bfloat16>(config, 3);
    // A kernel that widens goes before each product.
    expect_joined_products_change_no_bit<bfloat16>(config, 6, cuda::Weights::int8);
    expect_joined_products_change_no_bit<bfloat16>(config, 6, cuda::Weights::fp8);
  }
}

TEST(JoinedProducts, AreNoneWhereWeightsAreKeptDifferently) {
  auto config = config_of(48);
  config.num_key_value_heads = 1;  // keys of 8 numbers, which stay in bfloat16
  expect_joined_products_change_no_bit<bfloat16>(config, 2, cuda::Weights::int8);
}

TEST(JoinedProducts, ShareABlockThatTheLastOfThemGivesBack) {
  for (const auto weights : {cuda::Weights::full, cuda::Weights::int8}) {
    auto layer = std::make_unique<Layer<bfloat16>>(config_of(96), true, weights);
    const auto& query = layer->layer.self_attn.q_proj;
    auto& key = layer->layer.self_attn.k_proj;
    const auto& value = layer->layer.self_attn.v_proj;
    EXPECT_EQ(key.weight.kept, weights);
    EXPECT_TRUE(key.weight.continues(query.weight));
    EXPECT_TRUE(value.weight.continues(key.weight));
    EXPECT_FALSE(key.weight.continues(value.weight));
    EXPECT_FALSE(value.weight.continues(query.weight));
    EXPECT_TRUE(layer->layer.mlp.up_proj.weight.continues(layer->layer.mlp.gate_proj.weight));
    const RandomWeights drawn(expected_tensors(layer->layer, scope), 3);
    stamp::bind(layer->engine, key, drawn, scope + std::string(".self_attn.k_proj"));
    EXPECT_FALSE(key.weight.continues(query.weight)) << "bound alone";
    std::vector<std::size_t> requests;
    for (int again = 0; again < 4; ++again) {
      bind(layer->engine, layer->layer, drawn, scope);
      requests.push_back(layer->engine.device().requests());
    }
    EXPECT_EQ(requests[3], requests[1]) << "what was bound before goes round";
  }
}

TEST(JoinedProducts, AWeightOutlivesThoseBesideIt) {
  cuda::Engine<bfloat16> engine;
  auto attention = std::make_unique<Attention<cuda::Engine<bfloat16>>>(Hidden{96}, Heads{6},
                                                                       KvHeads{2}, HeadDim{16});
  bind(engine, *attention, RandomWeights(expected_tensors(*attention), 3));
  const auto x = engine.allocate<bfloat16>(Tokens{7}, Hidden{96});
  const auto drawn = random_numbers(x.size(), 5);
  engine.upload(x, std::span<const float>(Numbers(drawn.begin(), drawn.end())));
  const auto product = [&](const auto& linear) {
    const auto y = linear(engine, x);
    Numbers found(static_cast<std::size_t>(y.size()));
    engine.download(std::span(found), y);
    return found;
  };
  const Numbers expected = product(attention->k_proj);
  const auto key = std::move(attention->k_proj);
  attention.reset();
  EXPECT_EQ(product(key), expected);
  EXPECT_TRUE(std::ranges::all_of(expected, [](float number) { return std::isfinite(number); }));
}

/// Projections of seven rows.
struct Projections {
  using Engine = cuda::Engine<bfloat16>;

  explicit Projections(cuda::Weights weights) : engine(1, weights) {
    bind(engine, attention, drawn);
    const auto numbers = random_numbers(x.size(), 5);
    engine.upload(x, std::span<const float>(Numbers(numbers.begin(), numbers.end())));
  }

  [[nodiscard]] auto room() {
    return allocate_qkv(engine, rows, attention.q_proj, attention.k_proj, attention.v_proj);
  }
  [[nodiscard]] auto dense_room() {
    return stamp::allocate_qkv(engine, rows, attention.q_proj, attention.k_proj, attention.v_proj);
  }
  /// Query, key and value.
  std::vector<Numbers> into(const QueryKeyValue<bfloat16, Tokens, Queries, KeyValues>& y) {
    matmul_qkv(engine, y.query, y.key, y.value, x, attention.q_proj, attention.k_proj,
               attention.v_proj);
    std::vector<Numbers> found;
    const auto keep = [&](const auto& view) {
      const auto dense = engine.allocate<bfloat16>(rows, view.template axis_at<1>());
      copy(engine, dense, view);
      engine.download(std::span(found.emplace_back(static_cast<std::size_t>(view.size()))), dense);
    };
    keep(y.query);
    keep(y.key);
    keep(y.value);
    return found;
  }

  Tokens rows{7};
  Engine engine;
  Attention<Engine> attention{Hidden{96}, Heads{6}, KvHeads{2}, HeadDim{16}};
  RandomWeights drawn{expected_tensors(attention), 3};
  View<bfloat16, Tokens, Hidden> x = engine.allocate<bfloat16>(rows, Hidden{96});
};

/// Into rows side by side, and into three tensors.
TEST(JoinedProducts, WriteWhereTheyAreTold) {
  for (const auto weights : {cuda::Weights::full, cuda::Weights::fp8}) {
    Projections projections(weights);
    EXPECT_FALSE(projections.room().query.dense());
    EXPECT_EQ(projections.into(projections.room()), projections.into(projections.dense_room()));
  }
}

TEST(JoinedProducts, TakeTheBiasOfEachLayer) {
  Projections projections(cuda::Weights::full);
  const auto room = projections.room();
  const auto before = projections.into(room);
  projections.attention.k_proj.bias =
      projections.engine.vector(*projections.drawn.find("v_proj.bias"), KeyValues{32});
  EXPECT_TRUE(projections.room().query.dense()) << "a bias of elsewhere";
  const auto expected = projections.into(projections.dense_room());
  EXPECT_NE(expected[1], before[1]);
  EXPECT_EQ(projections.into(room), expected);
}

TEST(Together, HandsOutABlockToSoManyLayers) {
  const auto device = std::make_shared<cuda::Device>();
  cuda::Together together(2, 6);
  together.next_leaf();
  const cuda::Buffer first = together.numbers(device, 4 * 8, 8);
  const cuda::Buffer bias = together.biases(device, 4 * 2, 2);
  together.next_leaf();
  const cuda::Buffer second = together.numbers(device, 2 * 8, 8);
  const cuda::Buffer other = together.biases(device, 2 * 2, 2);
  EXPECT_TRUE(second.continues(first, 4 * 8));
  EXPECT_TRUE(other.continues(bias, 4 * 2));
  EXPECT_FALSE(bias.continues(first, 0));
  EXPECT_FALSE(together.numbers(device, 8, 8).continues(second, 2 * 8)) << "the block is full";
  EXPECT_FALSE(together.scales(device, 8, 4).continues(first, 0));
  together.next_leaf();
  const cuda::Buffer alone = together.scales(device, 8, 4);
  EXPECT_FALSE(together.scales(device, 8, 4).continues(alone, 8)) << "a layer of its own";
  EXPECT_FALSE(cuda::Buffer().continues(cuda::Buffer(), 0));
}

struct HeadSizes {
  Index heads, kv_heads, dim;
};

/// Of the published models and the shipped one: what is turned and attended to is read 16 bytes at
/// once, and tensor cores multiply it.
TEST(JoinedProducts, GoToTheMatrixKernels) {
  using Engine = cuda::Engine<bfloat16>;
  for (const auto& [heads, kv_heads, dim] :
       {HeadSizes{12, 2, 128}, HeadSizes{28, 4, 128}, HeadSizes{3, 1, 64}}) {
    Engine engine;
    Attention<Engine> attention(Hidden{32}, Heads{heads}, KvHeads{kv_heads}, HeadDim{dim});
    bind(engine, attention, RandomWeights(expected_tensors(attention), 3));
    const auto room = [&](Index rows) {
      return allocate_qkv(engine, Tokens{rows}, attention.q_proj, attention.k_proj,
                          attention.v_proj);
    };
    EXPECT_TRUE(room(4).query.dense() && room(4).key.dense() && room(4).value.dense());
    const auto [queries, keys, values] = room(70);
    EXPECT_EQ(queries.stride(), (heads + 2 * kv_heads) * dim);
    for (const auto& view : {keys, values}) {
      EXPECT_EQ(view.stride(), queries.stride());
      EXPECT_TRUE(cuda::aligned_rows(view.data(), view.stride()));
    }
    const auto context = engine.allocate<bfloat16>(Tokens{70}, Heads{heads}, HeadDim{dim});
    const auto cache = engine.keep(Keys{70}, KvHeads{kv_heads}, HeadDim{dim});
    const auto slots = erase(cache.view());
    const View<const bfloat16, Tokens, Heads, HeadDim> query =
        split(queries, Heads{heads}, HeadDim{dim});
    const cuda::AttendCall<bfloat16> call{erase(context), erase(query), slots,
                                          slots,          0.1F,         cuda::MaskRule(Causal{0})};
    EXPECT_EQ(cuda::kernel_for(call), cuda::AttendKernel::tensor);
    EXPECT_EQ(cuda::kernel_for(call, cuda::Attention::hopper), cuda::AttendKernel::hopper);
  }
}

}  // namespace
}  // namespace stamp::test
