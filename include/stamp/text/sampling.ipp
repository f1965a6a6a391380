// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/text/sampling.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
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

/// Error{failure} where top-k found scores that nobody can choose among.
inline void require_usable(std::span<const Scored> kept) {
  if (kept.empty()) fail(Fault::failure, "logits: expected at least one above -inf, found none");
  if (stamp::detail::usable(kept.front().score)) return;
  fail(Fault::failure, "logits: expected numbers, found " + std::to_string(kept.front().score) +
                           " for token " + std::to_string(kept.front().token));
}

/// Removes the least probable tokens whose probabilities together are at most 1 - p, never the
/// last of the ascending order. Of equal logits the smaller ids go first: torch's stable sort (its
/// default sort leaves that order to the CPU's vector unit).
/// Source: TopPLogitsWarper, with min_tokens_to_keep 1.
inline void keep_top_p(std::vector<Scored>& kept, double p) {
  std::ranges::sort(kept, [](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score < b.score : a.token < b.token;
  });
  const double largest = kept.back().score;
  double total = 0;
  for (const Scored& one : kept) total += std::exp(double{one.score} - largest);
  // torch adds float probabilities in double and compares the sum as float.
  const auto limit = static_cast<float>(1 - p);
  double sum = 0;
  std::size_t removed = 0;
  while (removed + 1 < kept.size()) {
    sum += static_cast<float>(std::exp(double{kept[removed].score} - largest) / total);
    if (static_cast<float>(sum) > limit) break;
    ++removed;
  }
  kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(removed));
  std::ranges::sort(kept, {}, &Scored::token);
}

/// In double; the sum is taken in the order of tokens.
inline void softmax(std::vector<double>& weights, std::span<const Scored> kept) {
  const double largest = std::ranges::max_element(kept, {}, &Scored::score)->score;
  weights.clear();
  for (const Scored& one : kept) weights.push_back(std::exp(double{one.score} - largest));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= total;
}

}  // namespace detail

Sampler::Sampler(const Sampling& sampling) : sampling_(sampling), random_(sampling.seed) {
  check(sampling);
}

TopK Sampler::keeps() const {
  const auto penalty = static_cast<float>(sampling_.repetition_penalty);
  if (sampling_.choice == Choice::greedy) return {.k = 1, .repetition_penalty = penalty};
  return {sampling_.top_k, static_cast<float>(sampling_.temperature), penalty};
}

std::vector<Scored> Sampler::process(std::span<const float> logits,
                                     std::span<const TokenId> history) const {
  KeptScores kept;
  TopK how = keeps();
  if (sampling_.choice == Choice::greedy) how.k = 0;
  keep_top_k(kept, logits, how, history, {});
  detail::require_usable(kept.scores);
  if (sampling_.choice == Choice::sample && sampling_.top_p < 1.0) {
    detail::keep_top_p(kept.scores, sampling_.top_p);
  }
  return std::move(kept.scores);
}

std::vector<double> Sampler::probabilities(std::span<const Scored> kept) {
  std::vector<double> weights;
  detail::softmax(weights, kept);
  return weights;
}

TokenId Sampler::next(std::span<const Scored> kept) {
  detail::require_usable(kept);
  if (sampling_.choice == Choice::greedy) {
    return std::ranges::max_element(kept, {}, &Scored::score)->token;
  }
  if (sampling_.top_p < 1.0) {
    chosen_.assign(kept.begin(), kept.end());
    detail::keep_top_p(chosen_, sampling_.top_p);
    kept = chosen_;
  }
  detail::softmax(weights_, kept);
  const double drawn = static_cast<double>(random_() >> 11) * 0x1p-53;
  double sum = 0;
  TokenId last = 0;  // rounding may leave the sum just below the draw: the last possible token
  for (std::size_t at = 0; at < weights_.size(); ++at) {
    if (weights_[at] == 0) continue;
    last = kept[at].token;
    sum += weights_[at];
    if (sum > drawn) break;
  }
  return last;
}

TokenId Sampler::next(std::span<const float> logits, std::span<const TokenId> history) {
  kept_.clear();
  keep_top_k(kept_, logits, keeps(), history, {});
  return next(kept_.scores);
}

}  // namespace stamp::text
