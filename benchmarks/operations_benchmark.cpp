// SPDX-License-Identifier: Apache-2.0
// Each operation of the reference backend at the sizes of the shipped model: a prompt or a mask
// pass of 400 tokens. FLOP/s count multiplications and additions, bytes what must be read and
// written once.
#include <benchmark/benchmark.h>

#include <parity/random_weights.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/tensor/reshape.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;
constexpr Index tokens = 400;
constexpr Index hidden = 192;
constexpr Index ffn = 512;
constexpr Index heads = 3;
constexpr Index dim = 64;

enum class Unit { flops, bytes };

void rate(benchmark::State& state, Unit unit, double amount) {
  state.counters[unit == Unit::flops ? "FLOP/s" : "B/s"] =
      benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

/// An activation of random numbers; owns its memory.
template <Axis... Axes>
Tensor<float, Axes...> random_tensor(std::uint64_t seed, Axes... axes) {
  Tensor<float, Axes...> tensor(axes...);
  const auto numbers = test::random_numbers(static_cast<Index>(tensor.values().size()), seed);
  std::ranges::copy(numbers, tensor.values().begin());
  return tensor;
}

/// A stored matrix or vector in float32.
template <Axis... Axes>
StoredTensor stored(const Tensor<float, Axes...>& tensor) {
  StoredTensor result;
  result.rank = sizeof...(Axes);
  std::ranges::copy(tensor.view().extents(), result.extents.begin());
  result.data = reinterpret_cast<const std::byte*>(tensor.values().data());
  return result;
}

void matmul_up(benchmark::State& state) {
  Engine engine;
  const Index rows = state.range(0);
  const auto weight = random_tensor(1, Ffn{ffn}, Hidden{hidden});
  const auto w = engine.matrix(stored(weight), Ffn{ffn}, Hidden{hidden});
  const auto x = random_tensor(2, Tokens{rows}, Hidden{hidden});
  auto y = random_tensor(3, Tokens{rows}, Ffn{ffn});
  for (auto _ : state) matmul(engine, y.view(), x.view(), w);
  rate(state, Unit::flops, 2.0 * static_cast<double>(rows * ffn * hidden));
}
BENCHMARK(matmul_up)->Arg(1)->Arg(tokens)->UseRealTime()->MeasureProcessCPUTime();

template <MaskPolicy Mask>
void attend_with(benchmark::State& state, Mask mask, Index keys, double seen) {
  Engine engine;
  const auto query = random_tensor(1, Tokens{tokens}, Heads{heads}, HeadDim{dim});
  const auto key = random_tensor(2, Keys{keys}, KvHeads{1}, HeadDim{dim});
  auto y = random_tensor(3, Tokens{tokens}, Heads{heads}, HeadDim{dim});
  for (auto _ : state) attend(engine, y.view(), query.view(), key.view(), key.view(), 0.125, mask);
  rate(state, Unit::flops, 4.0 * static_cast<double>(heads * dim) * seen);
}
void attend_causal(benchmark::State& state) {
  attend_with(state, Causal{0}, tokens, tokens * (tokens + 1) / 2.0);
}
void attend_mask_rows(benchmark::State& state) {
  attend_with(state, MaskRows{tokens, tokens, tokens}, 2 * tokens, 2.0 * tokens * tokens);
}
BENCHMARK(attend_causal)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(attend_mask_rows)->UseRealTime()->MeasureProcessCPUTime();

/// `body(engine, y, x)` on [tokens, ffn]; `passes` numbers are read or written an element.
template <class Body>
void elementwise(benchmark::State& state, double passes, const Body& body) {
  Engine engine;
  const auto x = random_tensor(1, Tokens{tokens}, Ffn{ffn});
  auto y = random_tensor(2, Tokens{tokens}, Ffn{ffn});
  const auto weight = random_tensor(3, Ffn{ffn});
  for (auto _ : state) body(engine, y.view(), x.view(), weight);
  rate(state, Unit::bytes, passes * 4 * tokens * ffn);
}
using Y = View<float, Tokens, Ffn>;
using X = View<const float, Tokens, Ffn>;
using W = Tensor<float, Ffn>;

void add_residual(benchmark::State& state) {
  elementwise(state, 3, [](Engine& e, Y y, X x, const W&) { add(e, y, x); });
}
void copy_view(benchmark::State& state) {
  elementwise(state, 2, [](Engine& e, Y y, X x, const W&) { copy(e, y, x); });
}
void rms_norm_rows(benchmark::State& state) {
  elementwise(state, 2, [](Engine& e, Y y, X x, const W& w) { rms_norm(e, y, x, w, 1e-6); });
}
void layer_norm_rows(benchmark::State& state) {
  elementwise(state, 2, [](Engine& e, Y y, X x, const W& w) { layer_norm(e, y, x, w, w, 1e-6); });
}
// In place: numbers are put back, or they would shrink to nothing from round to round.
void swiglu_rows(benchmark::State& state) {
  elementwise(state, 5, [](Engine& e, Y y, X x, const W&) {
    copy(e, y, x);
    swiglu(e, y, x);
  });
}
void quick_gelu_rows(benchmark::State& state) {
  elementwise(state, 4, [](Engine& e, Y y, X x, const W&) {
    copy(e, y, x);
    quick_gelu(e, y);
  });
}
void gelu_rows(benchmark::State& state) {
  elementwise(state, 4, [](Engine& e, Y y, X x, const W&) {
    copy(e, y, x);
    gelu(e, y);
  });
}
BENCHMARK(add_residual)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(copy_view)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(rms_norm_rows)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(layer_norm_rows)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(swiglu_rows)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(quick_gelu_rows)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(gelu_rows)->UseRealTime()->MeasureProcessCPUTime();

void rotate_heads(benchmark::State& state) {
  Engine engine;
  auto x = random_tensor(1, Tokens{tokens}, Heads{heads}, HeadDim{dim});
  auto cosine = random_tensor(2, Tokens{tokens}, Pairs{dim / 2});
  auto sine = cosine;
  for (std::size_t at = 0; at < sine.values().size(); ++at) {
    sine.values()[at] = std::sin(cosine.values()[at]);
    cosine.values()[at] = std::cos(cosine.values()[at]);
  }
  for (auto _ : state)
    rotate(engine, x.view(), std::as_const(cosine).view(), std::as_const(sine).view());
  rate(state, Unit::bytes, 4.0 * tokens * (2 * heads * dim + dim));
}
BENCHMARK(rotate_heads)->UseRealTime()->MeasureProcessCPUTime();

void embed_tokens(benchmark::State& state) {
  Engine engine;
  const auto table = random_tensor(1, Vocab{512}, Hidden{hidden});
  const auto w = engine.matrix(stored(table), Vocab{512}, Hidden{hidden});
  std::vector<std::int32_t> ids(tokens);
  for (std::size_t at = 0; at < ids.size(); ++at)
    ids[at] = static_cast<std::int32_t>(at * 37 % 512);
  auto y = random_tensor(3, Tokens{tokens}, Hidden{hidden});
  for (auto _ : state) embed(engine, y.view(), w, ids);
  rate(state, Unit::bytes, 8.0 * tokens * hidden);
}
BENCHMARK(embed_tokens)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace

BENCHMARK_MAIN();
