// SPDX-License-Identifier: Apache-2.0
// What sampling keeps of a row of scores: repetition penalty, temperature and top-k, the processors
// of transformers 4.57.1 in their order, in float. The rest of it is over the few that are kept.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string>
#include <vector>

namespace stamp {

/// Scores of tokens that occurred are divided by `repetition_penalty`, below zero multiplied, all
/// are divided by `temperature`, and those that are then below the k-th largest go.
struct TopK {
  Index k = 0;  ///< 0 keeps all
  float temperature = 1;
  float repetition_penalty = 1;
};

/// A token and its score, penalty and temperature applied.
struct Scored {
  float score;
  std::int32_t token;
  bool operator==(const Scored&) const = default;
};

/// What is kept of the rows of a pass, the tokens of a row in their order: all that are not below
/// its k-th largest score, however many are equal to it, and above -inf. Of a row with a score that
/// is NaN or +inf the first of these is kept, alone.
struct KeptScores {
  std::vector<Scored> scores;     ///< row after row
  std::vector<std::size_t> ends;  ///< of the rows, in `scores`

  std::vector<float> numbers;      ///< scratch: a row on the host
  std::vector<float> largest;      ///< scratch: of a row
  std::vector<std::uint8_t> seen;  ///< scratch: a bit a token
  std::vector<Scored> found;       ///< scratch: more than is kept, of all rows

  [[nodiscard]] std::span<const Scored> row(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends[row - 1];
    return std::span(scores).subspan(begin, ends[row] - begin);
  }
  void clear() {
    scores.clear();
    ends.clear();
  }
};

/// Source: RepetitionPenaltyLogitsProcessor.
[[nodiscard]] constexpr float penalised(float score, float penalty) {
  return score < 0 ? score * penalty : score / penalty;
}

/// Bytes that hold a bit for each of so many tokens: token i has bit i % 8 of byte i / 8.
[[nodiscard]] constexpr Index seen_bytes(Index tokens) { return (tokens + 7) / 8; }

// Templates from here on, so that only who samples compiles them: this stands under everything.

/// Sets a token's bit; whether it was not set. Error{failure} for a token without a score.
template <class Bits>
bool see_token(Bits&& seen, Index tokens, std::int32_t token) {
  if (token < 0 || token >= tokens) {
    fail(Fault::failure, "repetition penalty: token id " + std::to_string(token) +
                             ", expected one of " + std::to_string(tokens) + " logits");
  }
  std::uint8_t& byte = seen[static_cast<std::size_t>(token) / 8];
  const auto bit = static_cast<std::uint8_t>(1U << (static_cast<unsigned>(token) % 8));
  const bool first = (byte & bit) == 0;
  byte |= bit;
  return first;
}

namespace detail {

inline constexpr float none = -std::numeric_limits<float>::infinity();
[[nodiscard]] constexpr bool usable(float score) { return score < -none; }  // nor is NaN

/// Every token that has occurred, once each.
template <class Bits>
void penalise_repetition(std::span<float> row, float penalty, Bits& seen,
                         std::initializer_list<std::span<const std::int32_t>> occurred) {
  const auto tokens = static_cast<Index>(row.size());
  seen.assign(static_cast<std::size_t>(seen_bytes(tokens)), 0);
  for (const auto ids : occurred) {
    for (const std::int32_t id : ids) {
      if (!see_token(seen, tokens, id)) continue;
      float& score = row[static_cast<std::size_t>(id)];
      score = penalised(score, penalty);
    }
  }
}

/// The k largest numbers above -inf, the smallest of them first, or one that is NaN or +inf.
template <class Numbers>
void find_largest(Numbers& largest, std::span<const float> row, Index k) {
  const auto most = static_cast<std::size_t>(k);
  constexpr auto larger = [](float a, float b) { return a > b; };
  largest.clear();
  float bar = none;  // the k-th largest so far
  for (const float number : row) {
    if (number <= bar) continue;  // not true of NaN
    if (!usable(number)) {
      largest.assign(1, number);
      return;
    }
    if (largest.size() == most) {
      std::pop_heap(largest.begin(), largest.end(), larger);
      largest.back() = number;
    } else {
      largest.push_back(number);
    }
    std::push_heap(largest.begin(), largest.end(), larger);
    if (largest.size() == most) bar = largest.front();
  }
}

/// The smallest float whose quotient by `temperature` is not below `bound`, as that of `high` is
/// not: different numbers may have equal quotients. Division by a positive number keeps the order,
/// so it is found by halving the floats between.
[[nodiscard]] inline float smallest_kept(float high, float temperature, float bound) {
  const auto flip = [](std::int32_t bits) { return bits < 0 ? bits ^ 0x7fffffff : bits; };
  const auto float_at = [&](std::int64_t rank) {
    return std::bit_cast<float>(flip(static_cast<std::int32_t>(rank)));
  };
  std::int64_t low = flip(std::bit_cast<std::int32_t>(std::numeric_limits<float>::lowest()));
  std::int64_t kept = flip(std::bit_cast<std::int32_t>(high));
  while (low < kept) {
    const std::int64_t middle = low + (kept - low) / 2;
    if (float_at(middle) / temperature >= bound) {
      kept = middle;
    } else {
      low = middle + 1;
    }
  }
  return float_at(kept);
}

}  // namespace detail

/// Keeps of one more row, penalty applied, what is not below the k-th largest quotient by the
/// temperature. Most numbers are looked at twice and never divided.
template <std::same_as<KeptScores> Kept>
void keep_top_k(Kept& kept, std::span<const float> row, const TopK& how) {
  using detail::none;
  using detail::usable;
  const auto keep = [&](std::size_t at, float score) {
    kept.scores.push_back({score, static_cast<std::int32_t>(at)});
  };
  const bool all = how.k <= 0 || how.k >= static_cast<Index>(row.size());
  detail::find_largest(kept.largest, row, all ? 1 : how.k);
  if (!kept.largest.empty()) {
    const float first = *std::max_element(kept.largest.begin(), kept.largest.end());
    if (!usable(first / how.temperature)) {
      // Found from the front, raw or as a quotient, whichever it is that is not usable.
      for (std::size_t at = 0; at < row.size(); ++at) {
        if (row[at] == none || usable(row[at] / how.temperature)) continue;
        keep(at, row[at] / how.temperature);
        break;
      }
    } else if (first / how.temperature > none) {
      // Where fewer are above -inf it is the smallest of these.
      const float bound = all ? none : kept.largest.front() / how.temperature;
      const float low = detail::smallest_kept(
          first, how.temperature, std::max(bound, std::numeric_limits<float>::lowest()));
      for (std::size_t at = 0; at < row.size(); ++at) {
        if (row[at] >= low) keep(at, row[at] / how.temperature);
      }
    }
  }
  kept.ends.push_back(kept.scores.size());
}

/// The same of a row as it is, which may be kept.numbers, behind tokens that have occurred.
template <std::same_as<KeptScores> Kept>
void keep_top_k(Kept& kept, std::span<const float> row, const TopK& how,
                std::span<const std::int32_t> history, std::span<const std::int32_t> ahead) {
  if (how.repetition_penalty == 1) return keep_top_k(kept, row, how);
  if (row.data() != kept.numbers.data()) kept.numbers.assign(row.begin(), row.end());
  detail::penalise_repetition(kept.numbers, how.repetition_penalty, kept.seen, {history, ahead});
  keep_top_k(kept, kept.numbers, how);
}

}  // namespace stamp
