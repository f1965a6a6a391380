// SPDX-License-Identifier: Apache-2.0
// One decoder layer and one vision block at the sizes of the shipped model, random weights.
// FLOP/s count the products of the weights and of attention.
#include <benchmark/benchmark.h>

#include <parity/random_weights.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/stamp.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;

void flops(benchmark::State& state, Index amount) {
  state.counters["FLOP/s"] = benchmark::Counter(static_cast<double>(amount),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void decoder_layer(benchmark::State& state) {
  const auto config = test::shipped_size_config().text;
  Engine engine;
  qwen2_vl::DecoderLayer<Engine> layer(config);
  const test::RandomWeights weights(expected_tensors(layer));
  bind(engine, layer, weights);
  const Index tokens = state.range(0);
  const Index history = state.range(1);
  KvCache<Engine> cache(1, KvHeads{config.num_key_value_heads}, HeadDim{config.head_dim()});
  cache.reserve(engine, history + tokens);
  const auto frame = engine.frame();
  const auto at = text_rotary(engine, qwen2_vl::text_positions(history, tokens), config);
  auto x = engine.allocate<float>(Tokens{tokens}, Hidden{config.hidden_size});
  const auto drawn = test::random_numbers(x.size(), 1);
  const std::vector<float> numbers(drawn.begin(), drawn.end());
  for (auto _ : state) {
    engine.upload(x, std::span<const float>(numbers));
    layer(engine, x, at, cache.layer(0), history, MaskRows{history, history, tokens});
  }
  flops(state, 2 * tokens * count_parameters(layer) +
                   4 * tokens * (history + tokens) * config.hidden_size);
}
BENCHMARK(decoder_layer)
    ->Args({1, 400})
    ->Args({100, 400})
    ->Args({400, 400})
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMicrosecond);

void vision_block(benchmark::State& state) {
  const auto config = test::shipped_size_config().vision;
  Engine engine;
  qwen2_vl::VisionBlock<Engine> block(config);
  const test::RandomWeights weights(expected_tensors(block));
  bind(engine, block, weights);
  const Index side = state.range(0);
  const qwen2_vl::PatchGrid grid{1, side, side};
  const auto frame = engine.frame();
  const auto at = vision_rotary(engine, std::span(&grid, 1), config);
  auto x = engine.allocate<float>(Patches{grid.patches()}, VisionHidden{config.embed_dim});
  const auto drawn = test::random_numbers(x.size(), 1);
  const std::vector<float> numbers(drawn.begin(), drawn.end());
  for (auto _ : state) {
    engine.upload(x, std::span<const float>(numbers));
    block(engine, x, at, Bidirectional{grid.patches()});
  }
  flops(state, 2 * grid.patches() * count_parameters(block) +
                   4 * grid.patches() * grid.patches() * config.embed_dim);
}
BENCHMARK(vision_block)
    ->Arg(16)
    ->Arg(32)
    ->Arg(40)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
