// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/sampling.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <stamp/text/sampling.hpp>
#include <string>

namespace stamp::text {

bool picks_the_largest(const Sampling& sampling) {
  return sampling.choice == Choice::greedy && sampling.repetition_penalty == 1.0;
}

void check(const Sampling& sampling) {
  const auto require = [](bool good, const char* name, double value, const char* range) {
    if (good) return;
    fail(Fault::usage,
         std::string(name) + ": expected " + range + ", found " + std::to_string(value));
  };
  const auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  require(positive(sampling.temperature), "temperature", sampling.temperature, "a number above 0");
  require(sampling.top_k >= 0, "top_k", static_cast<double>(sampling.top_k), "0 or more");
  require(sampling.top_p >= 0 && sampling.top_p <= 1, "top_p", sampling.top_p, "0 to 1");
  require(positive(sampling.repetition_penalty), "repetition_penalty", sampling.repetition_penalty,
          "a number above 0");
}

namespace detail {

/// Divides (or, below zero, multiplies) the logit of every token that has occurred, once each.
/// Source: RepetitionPenaltyLogitsProcessor.
inline void penalise_repetition(std::span<float> logits, std::span<const TokenId> history,
                                double penalty) {
  std::vector<bool> seen(logits.size());
  for (const TokenId id : history) {
    if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) {
      fail(Fault::failure, "repetition penalty: token id " + std::to_string(id) +
                               ", expected one of " + std::to_string(logits.size()) + " logits");
    }
    const auto at = static_cast<std::size_t>(id);
    if (seen[at]) continue;
    seen[at] = true;
    const auto factor = static_cast<float>(penalty);
    logits[at] = logits[at] < 0 ? logits[at] * factor : logits[at] / factor;
  }
}

/// Removes what is below the k-th largest logit; what equals it stays, however many they are.
/// Source: TopKLogitsWarper.
inline void keep_top_k(std::span<float> logits, Index k) {
  if (k <= 0 || static_cast<std::size_t>(k) >= logits.size()) return;
  std::vector<float> ordered(logits.begin(), logits.end());
  const auto kth = ordered.begin() + (k - 1);
  std::nth_element(ordered.begin(), kth, ordered.end(), std::greater<>());
  for (float& logit : logits) {
    if (logit < *kth) logit = removed;
  }
}

/// Removes the least probable tokens whose probabilities together are at most 1 - p, never the
/// last of the ascending order. Of equal logits the smaller ids go first: torch's stable sort (its
/// default sort leaves that order to the CPU's vector unit).
/// Source: TopPLogitsWarper, with min_tokens_to_keep 1.
inline void keep_top_p(std::span<float> logits, double p) {
  std::vector<std::size_t> ascending(logits.size());
  std::iota(ascending.begin(), ascending.end(), std::size_t{0});
  std::sort(ascending.begin(), ascending.end(), [&](std::size_t a, std::size_t b) {
    return logits[a] != logits[b] ? logits[a] < logits[b] : a < b;
  });
  const double largest = logits[ascending.back()];
  double total = 0;
  for (const std::size_t at : ascending) total += std::exp(double{logits[at]} - largest);
  // torch adds float probabilities in double and compares the sum as float.
  const auto limit = static_cast<float>(1 - p);
  double sum = 0;
  for (std::size_t place = 0; place + 1 < ascending.size(); ++place) {
    float& logit = logits[ascending[place]];
    sum += static_cast<float>(std::exp(double{logit} - largest) / total);
    if (static_cast<float>(sum) > limit) return;
    logit = removed;
  }
}

}  // namespace detail

Sampler::Sampler(const Sampling& sampling) : sampling_(sampling), random_(sampling.seed) {
  check(sampling);
}

void Sampler::process(std::span<float> logits, std::span<const TokenId> history) const {
  require_usable(logits);
  if (sampling_.repetition_penalty != 1.0) {
    detail::penalise_repetition(logits, history, sampling_.repetition_penalty);
  }
  if (sampling_.choice == Choice::greedy) return;
  if (sampling_.temperature != 1.0) {
    for (float& logit : logits) logit /= static_cast<float>(sampling_.temperature);
  }
  detail::keep_top_k(logits, sampling_.top_k);
  if (sampling_.top_p < 1.0) detail::keep_top_p(logits, sampling_.top_p);
}

std::vector<double> Sampler::probabilities(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> weights(logits.size());
  std::transform(logits.begin(), logits.end(), weights.begin(),
                 [&](float logit) { return std::exp(double{logit} - largest); });
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= total;
  return weights;
}

TokenId Sampler::next(std::span<float> logits, std::span<const TokenId> history) {
  process(logits, history);
  if (sampling_.choice == Choice::greedy) return first_largest(logits);
  const std::vector<double> weights = probabilities(logits);
  const double drawn = static_cast<double>(random_() >> 11) * 0x1p-53;
  double sum = 0;
  TokenId last = 0;  // rounding may leave the sum just below the draw: the last possible token
  for (std::size_t at = 0; at < weights.size(); ++at) {
    if (weights[at] == 0) continue;
    last = static_cast<TokenId>(at);
    sum += weights[at];
    if (sum > drawn) break;
  }
  return last;
}

TokenId Sampler::first_largest(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void Sampler::require_usable(std::span<const float> logits) {
  if (logits.empty()) fail(Fault::failure, "logits: expected at least one, found none");
  for (std::size_t at = 0; at < logits.size(); ++at) {
    if (std::isnan(logits[at]) || logits[at] == -detail::removed) {
      fail(Fault::failure, "logits: expected numbers, found " + std::to_string(logits[at]) +
                               " for token " + std::to_string(at));
    }
  }
  if (logits[static_cast<std::size_t>(first_largest(logits))] == detail::removed) {
    fail(Fault::failure, "logits: expected at least one above -inf, found none");
  }
}

}  // namespace stamp::text
