// SPDX-License-Identifier: Apache-2.0
// From logits to the next token, with the processors of transformers 4.57.1 in their order:
// repetition penalty, then (only when sampling) temperature, top-k, top-p, and a draw.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <stamp/ops/top_k.hpp>
#include <stamp/tensor/check.hpp>
#include <stamp/text/vocabulary.hpp>
#include <vector>

namespace stamp::text {

/// How a token is chosen from the distribution.
enum class Choice { greedy, sample };

/// Settings of generation_config.json, with transformers' defaults where that says nothing.
struct Sampling {
  Choice choice = Choice::greedy;   ///< do_sample
  double temperature = 1.0;         ///< > 0; sampling only
  Index top_k = 50;                 ///< 0 keeps all; sampling only
  double top_p = 1.0;               ///< 0 to 1, 1 keeps all; sampling only
  double repetition_penalty = 1.0;  ///< > 0, 1 is none; over prompt and answer, greedy or not
  std::uint64_t seed = 0;
};

/// The next token is the first of the largest logits, whatever came before.
[[nodiscard]] bool picks_the_largest(const Sampling& sampling);

/// Throws Error{usage} naming the setting, its value and its range.
void check(const Sampling& sampling);

/// Chooses tokens one after another. The draw is ours: std::mt19937_64 seeded by `seed`, its top 53
/// bits as a number u in [0, 1), and the first token whose cumulative probability exceeds u; the
/// same seed gives the same tokens on every platform with the same logits.
class Sampler {
 public:
  /// Throws Error{usage} when a setting is out of range.
  explicit Sampler(const Sampling& sampling);

  /// The processors before top-p, which an engine may apply where the logits are; greedy choices
  /// need no more than the largest.
  [[nodiscard]] TopK keeps() const;

  /// The next token, of what these processors kept of its logits (ops/top_k.hpp). Greedy takes the
  /// first of equal maxima. Throws Error{failure} naming the first NaN or +inf, and when none is
  /// above -inf.
  [[nodiscard]] TokenId next(std::span<const Scored> kept);

  /// The next token; one of `logits` for each row of the embedding, `history` is prompt and answer
  /// so far. Throws as the other one does.
  [[nodiscard]] TokenId next(std::span<const float> logits, std::span<const TokenId> history);

  /// What every processor leaves of `logits`, above -inf. Throws as `next` does.
  [[nodiscard]] std::vector<Scored> process(std::span<const float> logits,
                                            std::span<const TokenId> history) const;

  /// Softmax of processed logits, in double.
  [[nodiscard]] static std::vector<double> probabilities(std::span<const Scored> kept);

 private:
  Sampling sampling_;
  std::mt19937_64 random_;
  KeptScores kept_;              ///< scratch: of a whole row
  std::vector<Scored> chosen_;   ///< scratch: what top-p leaves
  std::vector<double> weights_;  ///< scratch: their probabilities
};

}  // namespace stamp::text
