// SPDX-License-Identifier: Apache-2.0
// The paper's claim: the mask of N cells costs one parallel pass, not N autoregressive steps. Both
// run the same weights over the same cache: the size of the shipped model, a question about the
// image of N cells as history.
#include <benchmark/benchmark.h>

#include <parity/random_weights.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/stamp.hpp>

namespace {

using namespace stamp;
using Engine = reference::Engine<float>;
using test::token::image_pad;

/// A model and a dialogue that ends with `<|seg|>`, about an image of side × side cells.
struct Scene {
  Engine engine;
  qwen2_vl::Config config = test::shipped_size_config();
  Stamp<Engine> stamp{config};
  test::RandomWeights weights{expected_tensors(stamp)};
  Index cells;
  Dialogue<Engine> dialogue{engine, stamp};

  explicit Scene(Index side) : cells(side * side) {
    bind(engine, stamp, weights);
    const qwen2_vl::PatchGrid grid{1, 2 * side, 2 * side};
    const auto drawn = test::random_numbers(grid.patches() * config.vision.patch_length(), 5);
    dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), std::span(&grid, 1));
    std::vector<std::int32_t> ids{test::token::im_start, 3, test::token::vision_start};
    ids.insert(ids.end(), static_cast<std::size_t>(cells), image_pad);
    ids.insert(ids.end(),
               {test::token::vision_end, 7, 8, 9, test::token::im_end, 11, test::token::seg});
    (void)dialogue.read(ids);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
};

void count_cells(benchmark::State& state, Index cells) {
  state.counters["cells"] = static_cast<double>(cells);
  state.counters["cells/s"] =
      benchmark::Counter(static_cast<double>(cells), benchmark::Counter::kIsIterationInvariantRate);
}

void mask_pass(benchmark::State& state) {
  Scene scene(state.range(0));
  const auto object = static_cast<Index>(scene.dialogue.tokens().size()) - 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(scene.dialogue.segment(object, MaskPositions::text));
  }
  count_cells(state, scene.cells);
}

/// N steps of phase 1: what a model that writes its mask as text would do (greedy choice of the
/// next token included, stop token never met).
void autoregressive(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto scene = std::make_unique<Scene>(state.range(0));
    std::vector<float> scores(static_cast<std::size_t>(scene->config.text.vocab_size));
    state.ResumeTiming();
    benchmark::DoNotOptimize(scene->dialogue.generate(
        scores, -1, scene->cells,
        [](auto s, auto) {
          return static_cast<std::int32_t>(std::ranges::max_element(s) - s.begin());
        },
        [](std::int32_t) {}));
    state.PauseTiming();
    scene.reset();
    state.ResumeTiming();
  }
  const Index side = state.range(0);
  count_cells(state, side * side);
}

void sides(benchmark::internal::Benchmark* benchmark) {
  for (const int side : {4, 8, 12, 16, 20}) benchmark->Arg(side);
  benchmark->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(mask_pass)->Apply(sides);
BENCHMARK(autoregressive)->Apply(sides)->MinTime(0.2);

}  // namespace

BENCHMARK_MAIN();
