// SPDX-License-Identifier: Apache-2.0
// Sampling as transformers' processors say it, each over the whole row of scores: what choosing
// among the few that top-k keeps must equal bit for bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <span>
#include <stamp/text/sampling.hpp>
#include <vector>

namespace stamp::test {

inline constexpr float removed = -std::numeric_limits<float>::infinity();

/// RepetitionPenaltyLogitsProcessor
inline void penalise_whole_row(std::span<float> logits, std::span<const text::TokenId> history,
                               float penalty) {
  for (const text::TokenId id : std::set(history.begin(), history.end())) {
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

/// TopKLogitsWarper
inline void keep_top_k_of_whole_row(std::span<float> logits, Index k) {
  if (k <= 0 || static_cast<std::size_t>(k) >= logits.size()) return;
  std::vector<float> ordered(logits.begin(), logits.end());
  const auto kth = ordered.begin() + (k - 1);
  std::nth_element(ordered.begin(), kth, ordered.end(), std::greater<>());
  for (float& logit : logits) {
    if (logit < *kth) logit = removed;
  }
}

/// TopPLogitsWarper
inline void keep_top_p_of_whole_row(std::span<float> logits, double p) {
  std::vector<std::size_t> ascending(logits.size());
  std::iota(ascending.begin(), ascending.end(), std::size_t{0});
  std::ranges::sort(ascending, [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] < logits[b] : a < b;
  });
  const double largest = logits[ascending.back()];
  double total = 0;
  for (const std::size_t at : ascending) total += std::exp(double{logits[at]} - largest);
  const auto limit = static_cast<float>(1 - p);
  double sum = 0;
  for (std::size_t place = 0; place + 1 < ascending.size(); ++place) {
    float& logit = logits[ascending[place]];
    sum += static_cast<float>(std::exp(double{logit} - largest) / total);
    if (static_cast<float>(sum) > limit) return;
    logit = removed;
  }
}

/// Every processor in place; what it removes is -inf.
inline void process_whole_row(std::span<float> logits, std::span<const text::TokenId> history,
                              const text::Sampling& sampling) {
  if (sampling.repetition_penalty != 1.0) {
    penalise_whole_row(logits, history, static_cast<float>(sampling.repetition_penalty));
  }
  if (sampling.choice == text::Choice::greedy) return;
  if (sampling.temperature != 1.0) {
    for (float& logit : logits) logit /= static_cast<float>(sampling.temperature);
  }
  keep_top_k_of_whole_row(logits, sampling.top_k);
  if (sampling.top_p < 1.0) keep_top_p_of_whole_row(logits, sampling.top_p);
}

/// Softmax of the whole row, in double.
[[nodiscard]] inline std::vector<double> chances_of_whole_row(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  std::vector<double> weights;
  for (const float logit : logits) weights.push_back(std::exp(double{logit} - largest));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= total;
  return weights;
}

/// The next token; scores are numbers, one at least above -inf.
[[nodiscard]] inline text::TokenId next_of_whole_row(std::vector<float> logits,
                                                     std::span<const text::TokenId> history,
                                                     const text::Sampling& sampling,
                                                     std::mt19937_64& random) {
  process_whole_row(logits, history, sampling);
  if (sampling.choice == text::Choice::greedy) {
    return static_cast<text::TokenId>(std::ranges::max_element(logits) - logits.begin());
  }
  const std::vector<double> weights = chances_of_whole_row(logits);
  const double drawn = static_cast<double>(random() >> 11) * 0x1p-53;
  double sum = 0;
  text::TokenId last = 0;
  for (std::size_t at = 0; at < weights.size(); ++at) {
    if (weights[at] == 0) continue;
    last = static_cast<text::TokenId>(at);
    sum += weights[at];
    if (sum > drawn) break;
  }
  return last;
}

}  // namespace stamp::test
