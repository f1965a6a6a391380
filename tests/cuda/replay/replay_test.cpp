// SPDX-License-Identifier: Apache-2.0
// Recorded steps: words and masks of a replayed dialogue are those of plain launches, bit for bit,
// whatever its length; and how many launches a word takes. cuda::Engine as it stands, on the host.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <parity/random_weights.hpp>
#include <parity/told.hpp>
#include <stamp/checkpoint/json.hpp>
#include <stamp/cuda.hpp>
#include <stamp/session/exported_run.hpp>
#include <stamp/text/sampling.hpp>
#include <unit/turned_by.hpp>

namespace stamp::test {
namespace {

using Numbers = std::vector<float>;

/// A dialogue of an engine and a model with whoever runs it.
template <class T>
struct Talk {
  using Engine = cuda::Engine<T>;

  template <class... How>
  explicit Talk(const qwen2_vl::Config& config, How... how) : engine(1, how...), stamp(config) {
    host_device() = {};
    bind(engine, stamp, weights);
  }

  Engine engine;
  Stamp<Engine> stamp;
  RandomWeights weights{expected_tensors(stamp), 7};  // embedding rows are read from here
  Dialogue<Engine> dialogue{engine, stamp};
  Told told;

  /// An image of 2 × 3 cells, and a prompt of so many tokens about it.
  void begin(Index length) {
    const qwen2_vl::PatchGrid grid{1, 4, 6};
    const auto drawn = random_numbers(grid.patches() * stamp.config.vision.patch_length(), 5);
    dialogue.look(Numbers(drawn.begin(), drawn.end()), {&grid, 1});
    std::vector<std::int32_t> ids{token::im_start, token::vision_start};
    ids.insert(ids.end(), 6, token::image_pad);
    ids.push_back(token::vision_end);
    while (std::ssize(ids) < length) ids.push_back(static_cast<std::int32_t>(ids.size() * 7 % 50));
    scores = dialogue.read(ids);
  }
  /// Says so many words, greedily, or the given ones, of which all scores are told.
  template <class Tap>
  void say(Index words, const Tap& tap) {
    const auto said = dialogue.generate_greedily(scores, -1, words, [](std::int32_t) {}, tap);
    told.ids.insert(told.ids.end(), said.begin(), said.end());
  }
  template <class Tap>
  void say(const std::vector<std::int32_t>& words, const Tap& tap) {
    std::size_t next = 0;
    const auto pick = [&](std::span<const float> row, auto) {
      told.numbers.emplace_back(row.begin(), row.end());
      return words[next++];
    };
    (void)dialogue.generate(scores, -1, std::ssize(words), pick, [](std::int32_t) {}, tap);
  }
  /// Says so many words, chosen among what top-k keeps.
  void sample(Index words, const text::Sampling& sampling) {
    text::Sampler sampler(sampling);
    const auto said = dialogue.generate_among(
        scores, sampler.keeps(), -1, words,
        [&](std::span<const Scored> kept) { return sampler.next(kept); }, [](std::int32_t) {});
    told.ids.insert(told.ids.end(), said.begin(), said.end());
  }
  template <class Tap>
  void mask(const std::vector<Index>& tokens, const Tap& tap) {
    for (const auto& found :
         dialogue.segment(std::span<const Index>(tokens), MaskPositions::text, tap)) {
      told.numbers.push_back(found.values);
    }
  }
  template <class Tap>
  void read(const std::vector<std::int32_t>& ids, const Tap& tap) {
    scores = dialogue.read(ids, std::ssize(ids) - 1, tap);
    told.numbers.push_back(scores);
  }

  Numbers scores;
};

/// Questions, answers and masks around a length of 512, where launches change and the cache moves.
template <class T, class Tap>
Told tell(bool tied, const Tap& tap, bool record, HostDevice::Recording how = {}) {
  Talk<T> talk(heads_of_16(tied));
  talk.engine.record_steps(record);
  host_device().recording = how;
  talk.begin(496);
  const auto early = talk.dialogue.mark();
  talk.say(9, tap);
  for (Index again = 0; again < 4; ++again) talk.mask({498 + again}, tap);  // up to slot 510
  talk.say({3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}, tap);
  for (Index again = 0; again < 3; ++again) talk.mask({507, 500 + again}, tap);
  for (Index again = 0; again < 3; ++again) talk.mask({510 - again}, tap);
  for (std::int32_t again = 0; again < 3; ++again) {
    talk.read({11, 12, 13, again}, tap);
    talk.dialogue.draft(2);
    talk.say(4, tap);
    talk.dialogue.draft(0);
  }
  talk.dialogue.rewind(early);  // below 512 again, in a cache that has moved
  talk.read({7, 8}, tap);
  talk.say({2, 7, 1, 8, 2, 8}, tap);
  return talk.told;
}

/// What a listener hears is told without recordings, and the same without and with them.
template <class TellIt>
void expect_told_bit_for_bit(const TellIt& tell_it, Index recordings) {
  const Told expected = tell_it(Listener{}, true);
  EXPECT_EQ(host_device().recorded, 0) << "a tap needs every launch";
  EXPECT_GE(expected.numbers.size(), 4U);
  for (const auto& numbers : expected.numbers) {
    for (const float number : numbers) ASSERT_TRUE(std::isfinite(number));
  }
  EXPECT_TRUE(tell_it(NoTap{}, false) == expected);
  EXPECT_EQ(host_device().recorded, 0);
  EXPECT_TRUE(tell_it(NoTap{}, true) == expected);
  EXPECT_GE(host_device().recorded, recordings);
  EXPECT_GE(host_device().replayed, 2 * host_device().recorded);
}

TEST(Replay, TellsWhatPlainLaunchesTellBitForBit) {
  for (const bool tied : {true, false}) {
    // Words and masks below and above 512, and drafts.
    expect_told_bit_for_bit(
        [&](const auto& tap, bool record) { return tell<float>(tied, tap, record); }, 6);
  }
}

TEST(Replay, TellsOnTensorCoresWhatPlainLaunchesTellBitForBit) {
  expect_told_bit_for_bit(
      [](const auto& tap, bool record) {
        Talk<bfloat16> talk(heads_of_16(true));
        talk.engine.record_steps(record);
        talk.begin(20);
        talk.say({3, 1, 4, 1}, tap);
        for (Index again = 0; again < 3; ++again) talk.mask({11 + again}, tap);
        return talk.told;
      },
      2);
}

TEST(Replay, TellsInEightBitsWhatPlainLaunchesTellBitForBit) {
  for (const auto weights : {cuda::Weights::int8, cuda::Weights::fp8}) {
    expect_told_bit_for_bit(
        [&](const auto& tap, bool record) {
          Talk<bfloat16> talk(heads_of_16(false), weights);
          EXPECT_EQ(talk.stamp.model.layers[1].mlp.up_proj.weight.kept, weights);
          talk.engine.record_steps(record);
          talk.begin(20);
          talk.say({3, 1, 4, 1}, tap);
          for (Index again = 0; again < 3; ++again) talk.mask({11 + again}, tap);
          return talk.told;
        },
        2);
  }
}

/// Four objects of 6 cells and 3 heads of 64 numbers are more rows than one tile of the other
/// kernel. The recorded launch holds tensor maps of all slots that it may reach.
void expect_told_with_hopper(cuda::Weights weights) {
  expect_told_bit_for_bit(
      [weights](const auto& tap, bool record) {
        auto config = heads_of_16(true);
        config.text.hidden_size = config.vision.hidden_size = 192;
        config.text.num_attention_heads = 3;
        config.text.num_key_value_heads = 1;
        config.text.mrope_section = {8, 12, 12};
        Talk<bfloat16> talk(config, weights, cuda::Attention::hopper);
        EXPECT_EQ(talk.engine.attention(), cuda::Attention::hopper);
        EXPECT_EQ(talk.stamp.model.layers[1].mlp.up_proj.weight.kept, weights);
        talk.engine.record_steps(record);
        talk.begin(40);
        const Index read = host_device().by_hopper;
        EXPECT_EQ(read, 2) << "layers";
        for (Index again = 0; again < 4; ++again) {
          talk.mask({11 + again, 13 + again, 15, 16}, tap);
          talk.say({3}, tap);
        }
        // Plain, recorded, replayed twice.
        EXPECT_EQ(host_device().by_hopper - read, tap.listens() || !record ? 8 : 4);
        return talk.told;
      },
      1);
}

TEST(Replay, TellsWithTheHopperKernelWhatPlainLaunchesTellBitForBit) {
  expect_told_with_hopper(cuda::Weights::full);
}
TEST(Replay, TellsWithTheHopperKernelInEightBitsWhatPlainLaunchesTellBitForBit) {
  expect_told_with_hopper(cuda::Weights::int8);
}

TEST(Replay, WhereTheDriverRecordsNothingStepsRunPlainly) {
  using enum HostDevice::Recording;
  const Told expected = tell<float>(true, NoTap{}, false);
  const Index kernels = host_device().kernels;
  for (const auto how : {never_begins, is_refused}) {
    EXPECT_TRUE(tell<float>(true, NoTap{}, true, how) == expected);
    EXPECT_EQ(host_device().replayed, 0);
    EXPECT_EQ(host_device().kernels, kernels);
  }
}

TEST(Replay, OneRecordingServesTheWordsOfAnAnswer) {
  Talk<float> talk(heads_of_16(true));
  talk.begin(20);
  talk.say(3, NoTap{});  // two passes: a plain one and the recorded one
  host_device() = {};
  talk.say(40, NoTap{});
  EXPECT_EQ(host_device().recorded, 0);
  EXPECT_EQ(host_device().replayed, 40);
  EXPECT_EQ(host_device().kernels, 2 * 40) << "the place of the largest score";
  EXPECT_EQ(host_device().uploads, 4 * 40) << "embedding row, cosines, sines, length";
  EXPECT_EQ(host_device().downloads, 40) << "the word";
  EXPECT_EQ(host_device().waits, 0) << "a word waits for its download only";
}

TEST(Replay, ASampledWordTakesNoMoreThanAGreedyOne) {
  Talk<float> talk(heads_of_16(true));
  talk.begin(20);
  talk.say(3, NoTap{});
  for (const double penalty : {1.0, 1.05}) {
    for (const Index top_k : {1, 50}) {
      host_device() = {};
      talk.sample(10, {text::Choice::sample, 0.01, top_k, 0.001, penalty});
      EXPECT_EQ(host_device().recorded, 0);
      EXPECT_EQ(host_device().replayed, 10);
      EXPECT_EQ(host_device().kernels, 2 * 10) << "bounds, then what is kept";
      EXPECT_EQ(host_device().uploads, (penalty == 1 ? 4 : 5) * 10) << "and what has been said";
      EXPECT_EQ(host_device().downloads, 10) << "what is kept";
      EXPECT_EQ(host_device().waits, 0);
    }
  }
}

TEST(Replay, OneRecordingServesMasksOfManyPlaces) {
  Talk<float> talk(heads_of_16(true));
  talk.begin(20);
  for (int again = 0; again < 2; ++again) talk.mask({12}, NoTap{});
  host_device() = {};
  for (Index token = 10; token < 20; ++token) talk.mask({token}, NoTap{});
  talk.say(5, NoTap{});
  EXPECT_EQ(host_device().waits, 0);
  EXPECT_EQ(host_device().recorded, 1) << "the words";
  EXPECT_EQ(host_device().replayed, 10 + 3);
  talk.mask({12, 14}, NoTap{});
  EXPECT_EQ(host_device().replayed, 10 + 3) << "two objects are another shape";
}

/// Room for its words and its mask is there from the prompt on, so the cache does not move between.
TEST(Replay, AMaskLeavesTheRecordingsOfWordsInPlace) {
  Talk<float> talk(heads_of_16(true));
  talk.begin(505);  // a mask behind it passes slot 512
  talk.say(3, NoTap{});
  EXPECT_EQ(host_device().recorded, 1);
  for (int again = 0; again < 2; ++again) talk.mask({505}, NoTap{});
  EXPECT_EQ(host_device().recorded, 2);
  const Index replayed = host_device().replayed;
  talk.say(3, NoTap{});
  EXPECT_EQ(host_device().recorded, 2);
  EXPECT_EQ(host_device().replayed, replayed + 3);
}

/// Kernels of a word with so many layers, all of them.
template <class T, class... How>
Index kernels_of_a_word(Index layers, How... how) {
  Talk<T> talk(heads_of_16(true, layers), how...);
  talk.begin(20);
  talk.say(3, NoTap{});
  host_device() = {};
  talk.say(1, NoTap{});
  EXPECT_EQ(host_device().replayed, 1);
  return host_device().in_graphs + host_device().kernels;
}

TEST(Replay, AWordTakesSevenLaunchesALayer) {
  EXPECT_EQ(kernels_of_a_word<float>(3) - kernels_of_a_word<float>(2), 7);
  EXPECT_EQ(kernels_of_a_word<float>(28), 28 * 7 + 4) << "the goal of docs/cuda.md is 200";
  for (const auto weights : {cuda::Weights::int8, cuda::Weights::fp8}) {
    EXPECT_EQ(kernels_of_a_word<bfloat16>(2, weights), 2 * 7 + 4);
  }
}

/// A decoder layer over rows of random numbers, with norms joined to products and one by one.
template <class T>
void expect_joined_norms_change_no_bit(Index hidden, Index rows, auto... weights) {
  host_device() = {};
  auto config = tiny_config().text;
  config.hidden_size = hidden;
  cuda::Engine<T> engine(1, weights...);
  qwen2_vl::DecoderLayer<cuda::Engine<T>> layer(config);
  const RandomWeights drawn_weights(expected_tensors(layer, "model.layers.1"), 3);
  bind(engine, layer, drawn_weights, "model.layers.1");
  if constexpr (sizeof...(weights) > 0) {
    EXPECT_TRUE(((layer.mlp.up_proj.weight.kept == weights) && ...));
  }
  KvCache<cuda::Engine<T>> cache(1, KvHeads{2}, HeadDim{config.head_dim()});
  cache.reserve(engine, rows);
  std::vector<Numbers> found;
  std::vector<Index> kernels;
  for (const bool joined : {false, true}) {
    const auto frame = engine.frame();
    const auto drawn = random_numbers(rows * hidden, 5);
    auto x = engine.template allocate<T>(Tokens{rows}, Hidden{hidden});
    engine.upload(x, std::span<const float>(Numbers(drawn.begin(), drawn.end())));
    const Index pairs = config.head_dim() / 2;
    const auto at = turned_by(engine, Tokens{rows}, Pairs{pairs},
                              Numbers(static_cast<std::size_t>(rows * pairs), 0.5F));
    const Index before = host_device().kernels;
    if (joined) {
      layer(engine, x, at, cache.layer(0), 0, Causal{0});
    } else {
      const auto first = layer.input_layernorm(engine, x);
      layer.self_attn(engine, x, first, at, cache.layer(0), 0, Causal{0});
      layer.mlp(engine, x, layer.post_attention_layernorm(engine, x));
    }
    kernels.push_back(host_device().kernels - before);
    found.emplace_back(static_cast<std::size_t>(x.size()));
    engine.download(std::span(found.back()), x);
  }
  EXPECT_EQ(found[0], found[1]) << rows << " rows of " << hidden;
  EXPECT_EQ(kernels[0] - kernels[1], rows <= cuda::skinny_rows ? 2 : 0);
}

TEST(JoinedNorms, ChangeNoBit) {
  for (const Index hidden : {48, 96, 78}) {  // rows of 78 numbers are not aligned
    for (const Index rows : {1, 3, 4, 5}) {
      expect_joined_norms_change_no_bit<float>(hidden, rows);
      expect_joined_norms_change_no_bit<bfloat16>(hidden, rows);
      expect_joined_norms_change_no_bit<bfloat16>(hidden, rows, cuda::Weights::int8);
      expect_joined_norms_change_no_bit<bfloat16>(hidden, rows, cuda::Weights::fp8);
    }
  }
}

TEST(Replay, AStepInOtherScratchMemoryIsAnotherRecording) {
  std::vector<Told> told;
  for (const bool record : {false, true}) {
    Talk<float> talk(heads_of_16(true));
    talk.engine.record_steps(record);
    talk.begin(20);
    talk.say(std::vector<std::int32_t>(4, 9), NoTap{});
    {
      const auto frame = talk.engine.frame();
      const auto taken = talk.engine.allocate<float>(Tokens{100}, Hidden{3});
      talk.engine.upload(taken, std::span<const float>(Numbers(300, 1.0F)));
      talk.say(std::vector<std::int32_t>(4, 8), NoTap{});
      Numbers kept(300);
      talk.engine.download(std::span(kept), taken);
      EXPECT_EQ(kept, Numbers(300, 1.0F)) << "a recording wrote where it had once run";
    }
    talk.say(std::vector<std::int32_t>(4, 7), NoTap{});
    EXPECT_EQ(host_device().recorded, record ? 2 : 0);
    told.push_back(talk.told);
  }
  EXPECT_TRUE(told[0] == told[1]);
}

TEST(Recordings, RunThenRecordThenReplay) {
  host_device() = {};
  cuda::Device device;
  cuda::Recordings recordings;
  int bodies = 0;
  int kernels = 0;
  const auto step = [&](Index reach) {
    recordings.run(device, {.reach = reach}, [&] {
      ++bodies;
      host_device().queue([&] { ++kernels; });
    });
  };
  for (int run = 0; run < 5; ++run) step(512);
  EXPECT_EQ(bodies, 2);
  EXPECT_EQ(kernels, 5);
  EXPECT_EQ(host_device().recorded, 1);
  step(1024);
  EXPECT_EQ(bodies, 3) << "another shape starts plainly";
  recordings.clear();
  step(512);
  EXPECT_EQ(bodies, 4);
}

TEST(Recordings, AStepThatMovesNumbersRunsPlainlyForEver) {
  host_device() = {};
  cuda::Device device;
  cuda::Recordings recordings;
  std::byte* const memory = device.allocate(4);
  int bodies = 0;
  int uploads = 0;
  for (int run = 0; run < 4; ++run) {
    recordings.run(device, {}, [&] {
      ++bodies;
      device.upload(memory, 4, [&](std::byte*, Index, Index) { ++uploads; });
    });
  }
  EXPECT_EQ(uploads, 4);
  EXPECT_EQ(bodies, 5) << "one try to record";
  EXPECT_EQ(host_device().replayed, 0);
  const auto fails = [&] { recordings.run(device, {}, [] { fail(Fault::usage, "as it is"); }); };
  EXPECT_THROW(fails(), Error);
}

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

TEST(Replay, GoldensAreToldBitForBitAndTheEngineIsPyTorchLayerByLayer) {
  const auto json = checkpoint::read_json(goldens / "cases.json");
  for (const auto& entry : json["cases"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    const auto run = read_exported_run(goldens / entry["activations"].get<std::string>());
    auto model = load<cuda::Engine<float>>(goldens / entry["model"].get<std::string>());
    const auto recording = replay(model.engine(), model.stamp(), run.input);
    for (const auto& row :
         compare_run(run, recording, model.config(), tolerance_of(ElementType::float32))) {
      EXPECT_TRUE(row.ok) << row.name << ": " << row.used << " of the tolerance";
    }
    const Told expected = tell_run(model.engine(), model.stamp(), run.input, Listener{});
    host_device() = {};
    EXPECT_TRUE(tell_run(model.engine(), model.stamp(), run.input, NoTap{}) == expected);
    if (!run.input.grids.empty()) {
      EXPECT_GE(host_device().replayed, 2) << "masks at least";
    }
  }
}

}  // namespace
}  // namespace stamp::test
