// SPDX-License-Identifier: Apache-2.0
// What benchmarks/cuda_report does on a GPU, done on the host at tiny sizes: every reading is said,
// as JSON that gpu_table.py can read, and asks for the work that it should.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <nlohmann/json.hpp>
#include <parity/random_weights.hpp>
#include <set>
#include <sstream>
#include <stamp/model/qwen2_vl/published.hpp>

#include "cuda_phases.hpp"
#include "cuda_products.hpp"
#include "hopper_comparison.hpp"

namespace stamp::cuda {

/// The library's part is a plain kernel here; as if it had chosen this.
template <DeviceElement T>
std::optional<ChosenAlgorithm> chosen_algorithm(Device& /*device*/, const Product<T>& product) {
  if (product.y.rows <= skinny_rows) return {};
  return ChosenAlgorithm{66, 20, 15, 4, 2};
}

}  // namespace stamp::cuda

namespace stamp::test {
namespace {

using nlohmann::json;

/// What a report prints: one object a line, by its name.
template <class Report>
std::map<std::string, json> said_by(const Report& report) {
  testing::internal::CaptureStdout();
  std::string wrong;
  try {
    report();
  } catch (const Error& error) {
    wrong = error.what();
  }
  std::istringstream lines(testing::internal::GetCapturedStdout());
  EXPECT_EQ(wrong, "");
  std::map<std::string, json> said;
  for (std::string line; std::getline(lines, line);) {
    const json reading = json::parse(line);
    EXPECT_TRUE(said.emplace(reading.at("name"), reading).second) << "twice: " << line;
    EXPECT_GT(reading.value("ms", 1.0), 0) << line;
  }
  return said;
}

TEST(Report, TimesEveryPhaseOfAnAnswer) {
  host_device() = {};
  cuda::Engine<bfloat16> engine;
  auto config = tiny_config();
  bool equal = false;
  const auto said = said_by([&] {
    equal =
        benchmarks::TimedAnswers(engine, "tiny", config,
                                 {.side = 60,
                                  .size = {.grid = {1, 4, 4}, .before = 3, .after = 4, .words = 6},
                                  .answer = 9,
                                  .runs = 2})
            .run();
  });
  EXPECT_TRUE(equal);
  EXPECT_TRUE(said.at("tiny_graphs_and_plain_launches").at("equal").get<bool>());
  EXPECT_TRUE(said.at("tiny_graphs_and_plain_launches").at("finite").get<bool>());
  const auto passes = [&](const std::string& phase) {
    const json& reading = said.at("tiny_" + phase);
    EXPECT_EQ(reading.at("words").get<int>(), 9);
    return reading.at("passes").get<int>();
  };
  for (const std::string answer : {"end_to_end", "next_question"}) {
    // The first word stands in the prompt's scores, and nothing is asked behind the last one.
    EXPECT_EQ(passes(answer), 8) << "a word each";
    EXPECT_LE(passes(answer + "_drafted"), 8);
    EXPECT_EQ(passes(answer + "_guessed"), 2) << "three right guesses each";
  }
  EXPECT_EQ(said.at("tiny_requests_after_warm_up").at("count").get<int>(), 0);
  const std::set<std::string> timed{"vision",
                                    "prefill",
                                    "decode_first_tokens_plain",
                                    "decode_token_plain",
                                    "mask_pass_plain",
                                    "decode_token",
                                    "first_mask_passes_plain",
                                    "decode_first_tokens",
                                    "mask_pass",
                                    "mask_pass_and_picture",
                                    "first_mask_passes",
                                    "mask_pass_two_objects",
                                    "read_2_tokens",
                                    "read_4_tokens",
                                    "read_8_tokens",
                                    "picture_file",
                                    "end_to_end",
                                    "end_to_end_drafted",
                                    "end_to_end_guessed",
                                    "next_question",
                                    "next_question_drafted",
                                    "next_question_guessed"};
  std::set<std::string> found;
  for (const auto& [name, reading] : said) {
    if (reading.at("kind") == "phase") found.insert(name.substr(std::string("tiny_").size()));
  }
  EXPECT_EQ(found, timed);
  const AnswerWork work =
      answer_work(config, {.grid = {1, 4, 4}, .before = 3, .after = 4, .words = 6});
  EXPECT_NEAR(said.at("tiny_mask_pass").at("operations").get<double>(), work.mask.operations(),
              1e-5 * work.mask.operations());
  EXPECT_NEAR(said.at("tiny_decode_token").at("bytes").get<double>(), work.decode.bytes(),
              1e-5 * work.decode.bytes());
  EXPECT_GT(host_device().replayed, 0);
}

constexpr benchmarks::AskedAnswer asked_again{
    .side = 60, .size = {.grid = {1, 4, 4}, .before = 3, .after = 4}, .runs = 1};

TEST(Report, ComparesAnswersThatAreAskedForAgain) {
  host_device() = {};
  cuda::Engine<bfloat16> engine;
  bool same = false;
  const auto said = said_by([&] {
    same = benchmarks::TimedAnswers(engine, "tiny", tiny_config(), asked_again).repeat(3);
  });
  EXPECT_TRUE(same);
  for (const char* part :
       {"words", "one_object_a_pass", "two_objects_a_pass", "three_objects_a_pass"}) {
    const json& reading = said.at(std::string("tiny_") + part);
    EXPECT_EQ(reading.at("kind"), "repeats");
    EXPECT_EQ(reading.at("same").get<int>(), 3);
    EXPECT_EQ(reading.at("of").get<int>(), 3);
    EXPECT_TRUE(reading.at("finite").get<bool>());
  }
}

/// A picture of three objects comes last: its pixels, its logits, its foreground.
TEST(Report, ABitOfAPictureThatDiffersIsSeen) {
  const auto same_of = [](Index spoiled) {
    host_device() = {};
    host_device().spoiled = spoiled;
    cuda::Engine<bfloat16> engine;
    const auto said = said_by([&] {
      const bool same =
          benchmarks::TimedAnswers(engine, "tiny", tiny_config(), asked_again).repeat(2);
      EXPECT_EQ(same, spoiled < 0);
    });
    EXPECT_EQ(said.at("tiny_two_objects_a_pass").at("same").get<int>(), 2);
    return said.at("tiny_three_objects_a_pass").at("same").get<int>();
  };
  EXPECT_EQ(same_of(-1), 2);
  const Index downloads = host_device().downloads;
  for (const Index last : {1, 2, 3}) EXPECT_EQ(same_of(downloads - last), 1) << last;
}

TEST(Report, AnswersAreComparedBitByBit) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const benchmarks::Said number{{1, 2}, {0.5F, -1.0F}};
  const benchmarks::Said none{{1, 2}, {0.5F, nan}};
  EXPECT_TRUE(number.same_bits(number));
  EXPECT_TRUE(none.same_bits(none));
  EXPECT_FALSE(number.same_bits(none));
  EXPECT_FALSE(number.same_bits({{1, 3}, {0.5F, -1.0F}}));
  EXPECT_FALSE(number.same_bits({{1, 2}, {0.5F}}));
  EXPECT_FALSE((benchmarks::Said{{}, {0.0F}}.same_bits({{}, {-0.0F}})));
  const auto pictured = [](std::uint8_t pixel, double area) {
    return benchmarks::Said{{}, {}, {0, pixel}, {area, 0.5}};
  };
  EXPECT_TRUE(pictured(1, 1).same_bits(pictured(1, 1)));
  EXPECT_FALSE(pictured(1, 1).same_bits(pictured(0, 1)));
  EXPECT_FALSE(pictured(1, 1).same_bits(pictured(1, 2)));
  EXPECT_TRUE(number.finite());
  EXPECT_FALSE(none.finite());
}

std::map<std::string, json> said_of_products_and_attention() {
  cuda::Engine<bfloat16> engine;
  return said_by([&] {
    benchmarks::time_product(engine, "few", 1, 32, 16);
    benchmarks::time_product(engine, "many", 7, 32, 16);
    // Its keys are split as if there were 512 of them, which needs scratch memory.
    benchmarks::AttentionOperands operands(engine, {"attention", 2, 9, 2, 1, 16, 2.0 * 9});
    operands.time(cuda::AttendKernel::tiled, "tiled", Causal{7});
  });
}

TEST(Report, TellsWhichAlgorithmTheLibraryChose) {
  const auto said = said_of_products_and_attention();
  const auto& many = said.at("many");
  const std::map<std::string, int> told{
      {"algorithm", 66}, {"tile", 20}, {"stages", 15}, {"splits", 4}, {"reduction", 2}};
  for (const auto& [name, number] : told) {
    EXPECT_EQ(many.at(name).get<int>(), number) << name;
    EXPECT_FALSE(said.at("few").contains(name)) << "a kernel of our own";
    EXPECT_FALSE(said.at("attention_tiled").contains(name));
  }
  cuda::Engine<bfloat16> in_codes(1, cuda::Weights::int8);
  const auto of_panels =
      said_by([&] { benchmarks::time_product(in_codes, "codes", 7, 32, 16); }).at("codes");
  EXPECT_FALSE(of_panels.contains("algorithm")) << of_panels.dump();
}

TEST(Report, RecordsBriefProductsAndAttention) {
  host_device() = {};
  const auto said = said_of_products_and_attention();
  ASSERT_EQ(said.size(), 3U);
  const auto& many = said.at("many");
  EXPECT_NEAR(many["tflops"].get<double>() * many["ms"].get<double>() * 1e9, 2 * 7 * 32 * 16,
              0.01 * 2 * 7 * 32 * 16)
      << many.dump();
  EXPECT_GT(said.at("attention_tiled").at("gbytes_per_s").get<double>(), 0);
  EXPECT_EQ(said.at("few").at("recorded").get<int>(), 96) << "weights in turn";
  EXPECT_EQ(said.at("attention_tiled").at("recorded").get<int>(), 20);
  EXPECT_EQ(host_device().recorded, 3);
  // The least that a reading times: three launches of the graph, then one a batch.
  EXPECT_GE(host_device().replayed, 3 * (3 + 1 + 15));
}

/// What a decoder layer asks for (CudaLateWork.AsksTheLibraryForFourProductsALayer), at both sizes.
TEST(Report, TimesTheProductsOfALayer) {
  std::vector<std::array<Index, 2>> expected;
  for (const auto& c : {qwen2_vl::published_2b().text, qwen2_vl::published_7b().text}) {
    const Index heads = c.num_attention_heads + 2 * c.num_key_value_heads;
    expected.insert(expected.end(), {{c.hidden_size, heads * c.head_dim()},
                                     {c.num_attention_heads * c.head_dim(), c.hidden_size},
                                     {c.hidden_size, 2 * c.intermediate_size},
                                     {c.intermediate_size, c.hidden_size}});
  }
  std::vector<std::array<Index, 2>> found;
  for (const auto& shape : benchmarks::language_products) found.push_back({shape.in, shape.out});
  EXPECT_EQ(found, expected);
}

TEST(Report, TimesCallByCallWhereNothingIsRecorded) {
  host_device() = {};
  host_device().recording = HostDevice::Recording::is_refused;
  const auto said = said_of_products_and_attention();
  ASSERT_EQ(said.size(), 3U);
  for (const auto& [name, reading] : said) EXPECT_EQ(reading.at("recorded").get<int>(), 0) << name;
  EXPECT_EQ(host_device().replayed, 0);
}

TEST(Report, WhatKeepsADeviceBusyIsNotRecorded) {
  EXPECT_TRUE((benchmarks::Work{2.0 * 1024 * 1536 * 8960, 48e6}.brief()));
  EXPECT_FALSE((benchmarks::Work{4.0 * 4096 * 4096 * 1280, 42e6}.brief()));
  EXPECT_FALSE((benchmarks::Work{2.0 * 1536 * 151936, 2.0 * 1536 * 151936}.brief()));
}

TEST(Report, ComparesTheHopperKernelWithTheOther) {
  host_device() = {};
  cuda::Engine<bfloat16> engine(1, cuda::Attention::hopper);
  bool agree = true;
  const auto said = said_by([&] {
    agree &= benchmarks::compare_small(engine, 80, 20, 70, 8);
    agree &= benchmarks::compare_objects(engine, 64, 20, {30, 57, 64}, 8);
  });
  EXPECT_TRUE(agree);
  EXPECT_EQ(said.size(), 4U);
  EXPECT_EQ(said.at("objects_60x124x64_apart_8").at("beyond").get<int>(), 0);
  EXPECT_EQ(said.at("objects_60x124x64_apart_8").at("of").get<int>(), 60 * 6 * 64 + 1);
  EXPECT_GT(host_device().by_hopper, 0);
}

}  // namespace
}  // namespace stamp::test
