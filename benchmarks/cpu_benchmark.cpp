// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend at the sizes of the published models: every product of 2B and 7B in bf16
// and int8, every kind of attention, and one language layer over N mask tokens at once against N
// steps. FLOP/s count multiplications and additions; B/s, for one row, the weights that are read.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <parity/random_weights.hpp>
#include <stamp/cpu/engine.hpp>
#include <stamp/stamp.hpp>

namespace {

using namespace stamp;
using cpu::Compute;
using cpu::Engine;

/// One engine a type; threads are those of the machine.
Engine& engine_of(Compute compute) {
  static std::map<Compute, Engine> engines;
  const auto threads = static_cast<Index>(std::thread::hardware_concurrency());
  return engines.try_emplace(compute, threads, compute).first->second;
}

void count(benchmark::State& state, const char* unit, double amount) {
  state.counters[unit] = benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

/// A stored bfloat16 matrix; repeated numbers are as good as random ones for its speed.
struct Weight {
  Weight(Index out, Index in) : numbers(static_cast<std::size_t>(out * in)) {
    for (std::size_t at = 0; at < numbers.size(); ++at) {
      numbers[at] =
          bfloat16(static_cast<float>(at * 2654435761U >> 8U & 0xffffU) / 65536.0F - 0.5F);
    }
    stored.type = ElementType::bfloat16;
    stored.rank = 2;
    stored.extents = {out, in};
    stored.data = reinterpret_cast<const std::byte*>(numbers.data());
  }
  std::vector<bfloat16> numbers;
  StoredTensor stored;
};

template <Axis... Axes>
Tensor<float, Axes...> random_tensor(std::uint64_t seed, Axes... axes) {
  Tensor<float, Axes...> tensor(axes...);
  const auto numbers = test::random_numbers(static_cast<Index>(tensor.values().size()), seed);
  std::ranges::copy(numbers, tensor.values().begin());
  return tensor;
}

/// A product of the published models.
struct Product {
  const char* name;
  Index in;
  Index out;
};
constexpr Product products[] = {
    {"patch_embed", 1176, 1280},  {"vision_qkv", 1280, 3840},   {"vision_proj", 1280, 1280},
    {"vision_fc1", 1280, 5120},   {"vision_fc2", 5120, 1280},   {"merger_0", 5120, 5120},
    {"merger_2_2b", 5120, 1536},  {"merger_2_7b", 5120, 3584},  {"q_proj_2b", 1536, 1536},
    {"k_proj_2b", 1536, 256},     {"gate_proj_2b", 1536, 8960}, {"down_proj_2b", 8960, 1536},
    {"q_proj_7b", 3584, 3584},    {"k_proj_7b", 3584, 512},     {"gate_proj_7b", 3584, 18944},
    {"down_proj_7b", 18944, 3584}};

void multiply(benchmark::State& state, const Product& product, Compute compute, Index rows) {
  Engine& engine = engine_of(compute);
  const Weight weight(product.out, product.in);
  const auto w = engine.matrix(weight.stored, Ffn{product.out}, Hidden{product.in});
  const auto x = random_tensor(2, Tokens{rows}, Hidden{product.in});
  auto y = random_tensor(3, Tokens{rows}, Ffn{product.out});
  for (auto _ : state) matmul(engine, y.view(), x.view(), w);
  const auto numbers = static_cast<double>(product.in * product.out);
  if (rows == 1) return count(state, "B/s", numbers * (compute == Compute::int8 ? 1 : 2));
  count(state, "FLOP/s", 2 * static_cast<double>(rows) * numbers);
}

/// `rows` queries over `keys` keys; `seen` pairs of them meet.
template <MaskPolicy Mask>
void attend_with(benchmark::State& state, Index rows, Index keys, Index heads, Index kv_heads,
                 Index dim, Mask mask, double seen) {
  Engine& engine = engine_of(cpu::best_compute(cpu::best_isa()));
  const auto query = random_tensor(1, Tokens{rows}, Heads{heads}, HeadDim{dim});
  const auto key = random_tensor(2, Keys{keys}, KvHeads{kv_heads}, HeadDim{dim});
  auto y = random_tensor(3, Tokens{rows}, Heads{heads}, HeadDim{dim});
  for (auto _ : state) attend(engine, y.view(), query.view(), key.view(), key.view(), 0.1, mask);
  if (rows == 1) {
    return count(state, "B/s", 8.0 * static_cast<double>(keys * kv_heads * dim));
  }
  count(state, "FLOP/s", 4.0 * static_cast<double>(heads * dim) * seen);
}

void attend_vision(benchmark::State& state) {
  const Index patches = state.range(0);
  attend_with(state, patches, patches, 16, 16, 80, Bidirectional{patches},
              static_cast<double>(patches * patches));
}
void attend_prefill(benchmark::State& state) {
  const Index tokens = state.range(0);
  attend_with(state, tokens, tokens, 12, 2, 128, Causal{0},
              static_cast<double>(tokens * (tokens + 1)) / 2);
}
void attend_mask_pass(benchmark::State& state) {
  const Index cells = state.range(0);
  const Index history = cells + 60;
  attend_with(state, cells, history + cells, 12, 2, 128, MaskRows{history, history, cells},
              static_cast<double>(cells * (history + cells)));
}
void attend_decode(benchmark::State& state) {
  const Index keys = state.range(0);
  attend_with(state, 1, keys, 12, 2, 128, Causal{keys - 1}, static_cast<double>(keys));
}

/// One layer of the 2B language model, and a cache with room for an image of N cells twice.
struct Layer {
  explicit Layer(Index cells, Compute compute) : engine(engine_of(compute)), history(cells + 60) {
    bind(engine, layer, test::RandomWeights(expected_tensors(layer)));
    cache.reserve(engine, history + cells);
  }
  /// `tokens` at once, behind `before` slots.
  template <MaskPolicy Mask>
  void run(Index tokens, Index before, Mask mask) {
    const auto frame = engine.frame();
    const auto at = text_rotary(engine, qwen2_vl::text_positions(before, tokens), config);
    auto x = engine.allocate<float>(Tokens{tokens}, Hidden{config.hidden_size});
    std::fill_n(x.data(), x.size(), 0.5F);
    layer(engine, x, at, cache.layer(0), before, mask);
  }
  Engine& engine;
  qwen2_vl::TextConfig config;  // the 2B model's sizes
  qwen2_vl::DecoderLayer<Engine> layer{config};
  KvCache<Engine> cache{1, KvHeads{2}, HeadDim{128}};
  Index history;
};

void cells_a_second(benchmark::State& state, Index cells) {
  count(state, "cells/s", static_cast<double>(cells));
}
void layer_mask_pass(benchmark::State& state, Compute compute) {
  const Index cells = state.range(0);
  Layer layer(cells, compute);
  for (auto _ : state) {
    layer.run(cells, layer.history, MaskRows{layer.history, layer.history, cells});
  }
  cells_a_second(state, cells);
}
void layer_autoregressive(benchmark::State& state, Compute compute) {
  const Index cells = state.range(0);
  Layer layer(cells, compute);
  for (auto _ : state) {
    for (Index cell = 0; cell < cells; ++cell) {
      layer.run(1, layer.history + cell, Causal{layer.history + cell});
    }
  }
  cells_a_second(state, cells);
}

void register_all() {
  const auto add = [](const std::string& name, auto run, std::vector<Index> arguments) {
    auto* const benchmark = benchmark::RegisterBenchmark(name.c_str(), run);
    for (const Index argument : arguments) benchmark->Arg(argument);
    benchmark->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->MinTime(0.3);
  };
  std::vector<Compute> types{cpu::best_compute(cpu::best_isa())};
  if (cpu::best_isa() >= cpu::Isa::avx512) types.push_back(Compute::int8);
  for (const Compute compute : types) {
    const std::string type(name_of(compute));
    for (const Product& product : products) {
      add("product/" + std::string(product.name) + "/" + type,
          [product, compute](benchmark::State& state) {
            multiply(state, product, compute, state.range(0));
          },
          {1, 1024});
    }
    add("layer_mask_pass/" + type,
        [compute](benchmark::State& state) { layer_mask_pass(state, compute); },
        {64, 256, 1024, 4096});
    add("layer_autoregressive/" + type,
        [compute](benchmark::State& state) { layer_autoregressive(state, compute); },
        {64, 256, 1024, 4096});
  }
  add("attend_vision", attend_vision, {1296, 4096});
  add("attend_prefill", attend_prefill, {364, 1064});
  add("attend_mask_pass", attend_mask_pass, {324, 1024});
  add("attend_decode", attend_decode, {1100, 4096});
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
