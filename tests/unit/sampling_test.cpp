// SPDX-License-Identifier: Apache-2.0
// Logits processors against transformers 4.57.1; goldens of reference/pytorch/sampling_goldens.py.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stamp/text/sampling.hpp>
#include <string>
#include <unit/whole_row_sampling.hpp>
#include <vector>

namespace {

using stamp::Scored;
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

    const auto kept = Sampler(sampling).process(logits, golden[2].get<Ids>());
    const auto chances_of_kept = Sampler::probabilities(kept);
    std::vector<double> chances(logits.size());
    std::vector<bool> stays(logits.size());
    for (std::size_t at = 0; at < kept.size(); ++at) {
      chances[static_cast<std::size_t>(kept[at].token)] = chances_of_kept[at];
      stays[static_cast<std::size_t>(kept[at].token)] = true;
    }
    for (std::size_t at = 0; at < chances.size(); ++at) {
      const auto& expected = golden[3][at];
      EXPECT_EQ(stays[at], !expected.is_null()) << given << " token " << at;
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
  const std::vector<float> logits{1, 3, 2, 3};
  EXPECT_EQ(Sampler({}).next(logits, {}), 1);
}

TEST(Sampling, GreedyIgnoresTemperatureButNotThePenalty) {
  const std::vector<float> logits{4, 3};
  const Ids history{0, 0, 0};
  Sampler sampler({.temperature = 0.1, .repetition_penalty = 1.5});
  EXPECT_EQ(sampler.next(logits, history), 1);
  const std::vector<Scored> expected{{4 / 1.5F, 0}, {3, 1}};
  EXPECT_EQ(sampler.process(logits, history), expected) << "once, however often it occurred";
}

TEST(Sampling, SeedDecidesAndDrawsFollowTheDistribution) {
  const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.2F), -infinity};
  const auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.choice = Choice::sample, .seed = seed});
    Ids ids;
    for (int round = 0; round < 20000; ++round) {
      ids.push_back(sampler.next(logits, {}));
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
  const std::vector<float> logits{1, 2};
  EXPECT_THROW((void)Sampler({.repetition_penalty = 2}).process(logits, Ids{2}), stamp::Error);
  const Sampling cold{.choice = Choice::sample, .temperature = 1e-38};
  EXPECT_EQ(error_of(cold, {-1, 4, 2}), "logits: expected numbers, found inf for token 1");
}

/// Few different scores, so that many are equal, and some -inf.
std::vector<float> drawn_scores(std::mt19937_64& random, std::size_t count) {
  const auto levels = std::vector<std::uint64_t>{3, 40, 5000, 1000000}[random() % 4];
  std::vector<float> scores;
  for (std::size_t at = 0; at < count; ++at) {
    const auto level = static_cast<float>(random() % levels);
    scores.push_back(random() % 20 == 0 ? -infinity : 24 * level / static_cast<float>(levels) - 9);
  }
  scores[random() % count] = 3;
  return scores;
}

TEST(Sampling, ChoosesAmongTheKeptAsProcessorsOverWholeRowsDo) {
  std::mt19937_64 random(11);
  const auto one_of = [&](const auto& values) { return values[random() % values.size()]; };
  for (int round = 0; round < 4000; ++round) {
    const Sampling sampling{.choice = random() % 5 == 0 ? Choice::greedy : Choice::sample,
                            .temperature = one_of(std::vector{1.0, 0.01, 0.7, 1.9}),
                            .top_k = one_of(std::vector<stamp::Index>{0, 1, 2, 5, 50, 64, 65, 400}),
                            .top_p = one_of(std::vector{1.0, 0.001, 0.5, 0.9, 0.0}),
                            .repetition_penalty = one_of(std::vector{1.0, 1.05, 0.8, 2.5}),
                            .seed = random()};
    const auto logits = drawn_scores(random, 1 + random() % 300);
    Ids history;
    for (int at = 0; at < 20; ++at) {
      history.push_back(static_cast<TokenId>(random() % logits.size()));
    }
    Sampler sampler(sampling);

    std::vector<float> whole = logits;
    stamp::test::process_whole_row(whole, history, sampling);
    const auto kept = sampler.process(logits, history);
    const auto chances_of_kept = Sampler::probabilities(kept);
    std::vector<float> scores(logits.size(), -infinity);
    std::vector<double> chances(logits.size());
    for (std::size_t at = 0; at < kept.size(); ++at) {
      scores[static_cast<std::size_t>(kept[at].token)] = kept[at].score;
      chances[static_cast<std::size_t>(kept[at].token)] = chances_of_kept[at];
    }
    ASSERT_EQ(scores, whole) << "round " << round;
    ASSERT_EQ(chances, stamp::test::chances_of_whole_row(whole)) << "round " << round;

    std::mt19937_64 draws(sampling.seed);
    for (int word = 0; word < 5; ++word) {
      ASSERT_EQ(sampler.next(logits, history),
                stamp::test::next_of_whole_row(logits, history, sampling, draws))
          << "round " << round << ", word " << word;
    }
  }
}

}  // namespace
