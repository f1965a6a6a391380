// SPDX-License-Identifier: Apache-2.0
// Logits processors against transformers 4.57.1; goldens of reference/pytorch/sampling_goldens.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stamp/text/sampling.hpp>
#include <string>
#include <vector>

namespace {

using stamp::text::Choice;
using stamp::text::Sampler;
using stamp::text::Sampling;
using stamp::text::TokenId;
using Ids = std::vector<TokenId>;
constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Sampling, ProcessedProbabilitiesAreTransformers) {
  std::ifstream file(STAMP_SOURCE_DIR "/tests/goldens/text/sampling.json");
  const auto cases = nlohmann::json::parse(file);
  EXPECT_GE(cases.size(), 200U);
  for (const auto& golden : cases) {
    const auto& given = golden[0];
    Sampling sampling;
    sampling.choice = given["do_sample"].get<bool>() ? Choice::sample : Choice::greedy;
    sampling.temperature = given.value("temperature", sampling.temperature);
    sampling.top_k = given.value("top_k", sampling.top_k);
    sampling.top_p = given.value("top_p", sampling.top_p);
    sampling.repetition_penalty = given.value("repetition_penalty", sampling.repetition_penalty);
    std::vector<float> logits;
    for (const auto& step : golden[1]) logits.push_back(step.get<float>() / 64);

    std::vector<float> processed = logits;
    Sampler(sampling).process(processed, golden[2].get<Ids>());
    const auto chances = Sampler::probabilities(processed);
    for (std::size_t at = 0; at < chances.size(); ++at) {
      const auto& expected = golden[3][at];
      EXPECT_EQ(processed[at] == -infinity, expected.is_null()) << given << " token " << at;
      // 7 digits in the golden, and float scores whose last bit the temperature magnifies.
      const double chance = expected.is_null() ? 0 : expected.get<double>();
      EXPECT_NEAR(chances[at], chance, 1e-30 + 2e-5 * chance) << given << " token " << at;
    }
    sampling.choice = Choice::greedy;
    const Ids history = golden[2].get<Ids>();
    if (!given["do_sample"].get<bool>()) {
      EXPECT_EQ(Sampler(sampling).next(logits, history), golden[4].get<TokenId>()) << given;
    }
  }
}

TEST(Sampling, GreedyTakesTheFirstOfEqualMaxima) {
  std::vector<float> logits{1, 3, 2, 3};
  EXPECT_EQ(Sampler({}).next(logits, {}), 1);
}

TEST(Sampling, GreedyIgnoresTemperatureButNotThePenalty) {
  std::vector<float> logits{4, 3};
  const Ids history{0, 0, 0};
  EXPECT_EQ(Sampler({.temperature = 0.1, .repetition_penalty = 1.5}).next(logits, history), 1);
  EXPECT_FLOAT_EQ(logits[0], 4 / 1.5F) << "once, however often it occurred";
  EXPECT_EQ(logits[1], 3);
}

TEST(Sampling, SeedDecidesAndDrawsFollowTheDistribution) {
  const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.2F), -infinity};
  const auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.choice = Choice::sample, .seed = seed});
    Ids ids;
    for (int round = 0; round < 20000; ++round) {
      std::vector<float> copy = logits;
      ids.push_back(sampler.next(copy, {}));
    }
    return ids;
  };
  const Ids first = draw(7);
  EXPECT_EQ(first, draw(7));
  EXPECT_NE(first, draw(8));
  double counts[4] = {};
  for (const TokenId id : first) counts[id] += 1.0 / 20000;
  EXPECT_NEAR(counts[0], 0.5, 0.015);  // four standard deviations
  EXPECT_NEAR(counts[1], 0.3, 0.015);
  EXPECT_NEAR(counts[2], 0.2, 0.015);
  EXPECT_EQ(counts[3], 0);
  // Pinned, so that a seed in a paper means the same tokens in every version and on every platform.
  EXPECT_EQ(Ids(first.begin(), first.begin() + 12), (Ids{1, 2, 0, 2, 0, 0, 2, 2, 0, 1, 1, 1}));
}

std::string error_of(const Sampling& sampling, std::vector<float> logits = {1, 2}) {
  try {
    (void)Sampler(sampling).next(logits, {});
  } catch (const stamp::Error& error) {
    return error.what();
  }
  return "";
}

TEST(Sampling, SettingsOutOfRangeAreNamed) {
  EXPECT_TRUE(error_of({.temperature = 0}).starts_with("temperature: expected"));
  EXPECT_TRUE(error_of({.temperature = std::nan("")}).starts_with("temperature: expected"));
  EXPECT_TRUE(error_of({.top_k = -1}).starts_with("top_k: expected"));
  EXPECT_TRUE(error_of({.top_p = 1.5}).starts_with("top_p: expected"));
  EXPECT_TRUE(error_of({.top_p = std::nan("")}).starts_with("top_p: expected"));
  EXPECT_TRUE(error_of({.repetition_penalty = 0}).starts_with("repetition_penalty: expected"));
  EXPECT_EQ(error_of({.choice = Choice::sample, .top_k = 0, .top_p = 0}), "");
}

TEST(Sampling, LogitsThatAreNotNumbersAreNamed) {
  EXPECT_NE(error_of({}, {1, std::nanf(""), 2}).find("for token 1"), std::string::npos);
  EXPECT_NE(error_of({}, {1, 2, infinity}).find("for token 2"), std::string::npos);
  EXPECT_NE(error_of({}, {-infinity, -infinity}).find("above -inf"), std::string::npos);
  EXPECT_NE(error_of({}, {}).find("at least one"), std::string::npos);
  std::vector<float> logits{1, 2};
  EXPECT_THROW(Sampler({.repetition_penalty = 2}).process(logits, Ids{2}), stamp::Error);
}

}  // namespace
