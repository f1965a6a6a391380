// SPDX-License-Identifier: Apache-2.0
// Engine, device, recordings and products as they are built, over walked kernels and the host's
// runtime: whether queued work runs at once or as late as it may, a dialogue tells the same bits.
// It would not if somebody read what is not there yet, or if work read memory that the host has
// changed or given back meanwhile.
#include <gtest/gtest.h>

#include <cuda/replay/host_kernels.hpp>
#include <cuda/runtime/host_products.hpp>
#include <cuda/runtime/host_runtime.hpp>
#include <parity/random_weights.hpp>
#include <parity/told.hpp>
#include <random>
#include <stamp/checkpoint/json.hpp>
#include <stamp/cuda.hpp>
#include <stamp/model/qwen2_vl/language.hpp>
#include <stamp/session/exported_run.hpp>
#include <unit/turned_by.hpp>

namespace stamp::test {

template <class Kernel>
void launch(cuda::Stream stream, const Kernel& kernel) {
  (void)queue(stream, kernel);
}

}  // namespace stamp::test

namespace stamp::cuda {

inline Attention attention_here(Attention) { return Attention::mma; }

namespace kernel {
inline void attend_hopper(Stream, const AttendCall<bfloat16>&, const AttendParts&) {}

template void plain_product(Stream, const Product<float>&);
template void plain_product(Stream, const Product<bfloat16>&);
template void skinny_products(Stream, const JoinedProducts<float>&);
template void skinny_products(Stream, const JoinedProducts<bfloat16>&);
}  // namespace kernel

}  // namespace stamp::cuda

namespace stamp::test {
namespace {

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

void start(bool late) {
  reset(host_runtime());
  host_runtime().memory = std::size_t{16} << 30U;
  host_runtime().late = late;
}

/// What a model tells about an exported run.
template <class T, class... How>
Told tell(const std::filesystem::path& model, const ReplayInput& input, bool late, bool record) {
  start(late);
  auto loaded = load<cuda::Engine<T>>(model);
  loaded.engine().record_steps(record);
  const Told told = tell_run(loaded.engine(), loaded.stamp(), input, NoTap{});
  if (record && !input.grids.empty()) {
    EXPECT_GE(host_runtime().calls["cudaGraphLaunch"], 2) << "masks at least";
  }
  return told;
}

template <class T>
void expect_the_same_of_late_work() {
  const auto json = checkpoint::read_json(goldens / "cases.json");
  for (const auto& entry : json["cases"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    const auto run = read_exported_run(goldens / entry["activations"].get<std::string>());
    const auto model = goldens / entry["model"].get<std::string>();
    const Told expected = tell<T>(model, run.input, false, false);
    EXPECT_FALSE(expected.numbers.empty());
    EXPECT_TRUE(tell<T>(model, run.input, true, true) == expected);
  }
}

TEST(CudaLateWork, TellsTheGoldensBitForBit) { expect_the_same_of_late_work<float>(); }
TEST(CudaLateWork, TellsTheGoldensInBfloat16BitForBit) { expect_the_same_of_late_work<bfloat16>(); }

/// From a picture's bytes to masks of its size.
TEST(CudaLateWork, MakesTheMasksOfAPictureBitForBit) {
  Image picture{.width = 131, .height = 97};
  std::mt19937 random(4);
  for (Index at = 0; at < picture.width * picture.height * 3; ++at) {
    picture.pixels.push_back(static_cast<std::uint8_t>(random()));
  }
  std::vector<Answer> answers;
  for (const bool late : {false, true}) {
    start(late);
    auto model = load<cuda::Engine<float>>(goldens / "models/tied");
    answers.push_back(segment(model, picture, "the dark squares",
                              {.response = "these<|seg|> and these<|seg|>.",
                               .min_pixels = 56 * 56,
                               .max_pixels = 112 * 112}));
  }
  ASSERT_EQ(answers[0].masks.size(), 2U);
  for (std::size_t at = 0; at < 2; ++at) {
    EXPECT_EQ(answers[0].masks[at].logits, answers[1].masks[at].logits);
    EXPECT_EQ(answers[0].masks[at].picture.cells, answers[1].masks[at].picture.cells);
    EXPECT_EQ(answers[0].masks[at].score, answers[1].masks[at].score);
  }
}

/// Embedding row, cosines, sines and lengths of the published head sizes travel as one.
TEST(CudaLateWork, AWordIsOneCopyThereOneGraphAndOneCopyBack) {
  start(true);
  auto config = tiny_config();
  config.text.hidden_size = config.vision.hidden_size = 128;
  config.text.num_attention_heads = config.text.num_key_value_heads = 1;
  config.text.mrope_section = {16, 24, 24};
  cuda::Engine<bfloat16> engine;
  Stamp<cuda::Engine<bfloat16>> stamp(config);
  const RandomWeights weights(expected_tensors(stamp));  // embedding rows are read from here
  bind(engine, stamp, weights);
  Dialogue dialogue(engine, stamp);
  auto scores = dialogue.read(std::vector<std::int32_t>{9, 11, 12});
  const auto say = [&](Index words) {
    (void)dialogue.generate_greedily(scores, -1, words, [](std::int32_t) {});
  };
  say(4);  // two words to record, and the last one runs when the next answer begins
  host_runtime().calls.clear();
  say(10);
  EXPECT_EQ(host_runtime().calls["cudaGraphLaunch"], 10);
  EXPECT_EQ(host_runtime().calls["cudaMemcpyAsync"], 20);
  EXPECT_EQ(host_runtime().calls["cudaStreamSynchronize"], 0);
}

/// out × in of a product with x and y so far apart, and whether it has a bias or adds.
struct Asked {
  std::uint64_t out, in;
  std::int64_t x_stride, y_stride;
  bool bias, adds;
  bool operator==(const Asked&) const = default;
};

/// Query, key and value together; the attention's output; gate and up together; down.
template <class T>
void expect_four_products_a_layer(std::uint64_t rows, auto... weights) {
  start(false);
  host_products() = {};
  auto config = tiny_config().text;
  config.hidden_size = 96;  // 6 query heads and 2 key heads of 16
  cuda::Engine<T> engine(1, weights...);
  qwen2_vl::DecoderLayer<cuda::Engine<T>> layer(config);
  bind(engine, layer, RandomWeights(expected_tensors(layer, "model.layers.1"), 3),
       "model.layers.1");
  const Tokens tokens{static_cast<Index>(rows)};
  KvCache<cuda::Engine<T>> cache(1, KvHeads{2}, HeadDim{16});
  cache.reserve(engine, tokens.size);
  const auto x = engine.template allocate<T>(tokens, Hidden{96});
  const std::vector<float> numbers(static_cast<std::size_t>(x.size()), 0.5F);
  engine.upload(x, std::span<const float>(numbers));
  const auto at =
      turned_by(engine, tokens, Pairs{8}, std::vector<float>(static_cast<std::size_t>(8 * rows)));
  layer(engine, x, at, cache.layer(0), 0, Causal{0});
  host_products().multiplied.clear();  // with those that were timed
  layer(engine, x, at, cache.layer(0), 0, Causal{0});
  engine.device().wait();
  std::vector<Asked> asked;
  for (const auto& call : host_products().multiplied) {
    EXPECT_EQ(call.rows, rows);
    asked.push_back(
        {call.out, call.in, call.x_stride, call.y_stride, call.bias != nullptr, call.beta != 0});
  }
  EXPECT_EQ(asked, (std::vector<Asked>{{160, 96, 96, 160, true, false},
                                       {96, 96, 96, 96, false, true},
                                       {80, 96, 96, 80, false, false},
                                       {96, 40, 80, 96, false, true}}));
  const auto& attention = layer.self_attn;
  ASSERT_FALSE(host_products().multiplied.empty());
  EXPECT_EQ(host_products().multiplied[0].bias, attention.q_proj.bias.view().data());
  EXPECT_EQ(attention.v_proj.bias.view().data(), attention.q_proj.bias.view().data() + 96 + 32);
}

TEST(CudaLateWork, AsksTheLibraryForFourProductsALayer) {
  expect_four_products_a_layer<float>(9);
  expect_four_products_a_layer<bfloat16>(10);
  expect_four_products_a_layer<bfloat16>(11, cuda::Weights::int8);
  expect_four_products_a_layer<bfloat16>(12, cuda::Weights::fp8);
}

}  // namespace
}  // namespace stamp::test
