// SPDX-License-Identifier: Apache-2.0
// What top-k keeps of each row, found on the device: of the scores of a vocabulary 4 KiB travel to
// the host, and with a repetition penalty a bit a token to the device.
#pragma once

#include <functional>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/ops/top_k.hpp>

namespace stamp::cuda {

inline constexpr int top_k_threads = 256;
inline constexpr Index top_k_group = 64;   ///< neighbouring scores whose largest is noted
inline constexpr Index top_k_part = 2048;  ///< scores of a block: one load for each thread
inline constexpr Index top_k_most = 511;   ///< scores that a row can give
/// Up to here a search of a vocabulary finds no more than that: what it finds grows faster than k,
/// to about 450 at 200, and from about 215 on rows would come whole after all.
inline constexpr Index top_k_searched = 200;
static_assert(top_k_searched <= top_k_threads);

[[nodiscard]] constexpr Index top_k_groups(Index columns) {
  return (columns + top_k_group - 1) / top_k_group;
}
[[nodiscard]] constexpr Index top_k_parts(Index columns) {
  return (columns + top_k_part - 1) / top_k_part;
}

/// top_k of ops/fused.hpp, k from 1 to top_k_searched. The row of `found` begins with how many
/// there are, as its token: -1 where a score is NaN or +inf; where it is more than top_k_most none
/// is given. They are no fewer than those that are kept, and in no order.
template <class T>
struct TopKCall {
  Scored* found;             ///< [R, 1 + top_k_most]
  float* largest;            ///< [R, top_k_groups(columns)], scratch
  Erased<const T> x;         ///< [R, columns]
  const std::uint8_t* seen;  ///< [R, seen_bytes(columns)], null without a penalty
  float penalty;
  float temperature;
  int k;
};

namespace kernel {
template <DeviceElement T>
void top_k(Stream stream, const TopKCall<T>& call);
}

/// The tokens that each row has seen, a bit each, in the engine's memory.
template <class E>
[[nodiscard]] const std::uint8_t* seen_by_rows(E& engine, KeptScores& kept, Index tokens,
                                               std::span<const std::int32_t> history,
                                               std::span<const std::int32_t> ahead) {
  const auto width = static_cast<std::size_t>(seen_bytes(tokens));
  kept.seen.assign((ahead.size() + 1) * width, 0);
  const auto row = [&](std::size_t at) { return std::span(kept.seen).subspan(at * width, width); };
  for (const std::int32_t id : history) see_token(row(0), tokens, id);
  for (std::size_t at = 0; at < ahead.size(); ++at) {
    std::ranges::copy(row(at), row(at + 1).begin());
    see_token(row(at + 1), tokens, ahead[at]);
  }
  const auto view = engine.template allocate<std::uint8_t>(Tokens{std::ssize(kept.seen)});
  engine.upload(view, std::span<const std::uint8_t>(kept.seen));
  return view.data();
}

/// Keeps of a row's scores, no fewer than belong to it, those not below the k-th largest.
inline void keep_found(KeptScores& kept, std::span<Scored> found, std::size_t k) {
  if (found.size() > k) {
    const auto kth = found.begin() + static_cast<std::ptrdiff_t>(k) - 1;
    std::ranges::nth_element(found, kth, std::greater<>(), &Scored::score);
    const float bound = kth->score;
    const auto below =
        std::ranges::remove_if(found, [&](const Scored& one) { return one.score < bound; });
    found = found.first(found.size() - below.size());
  }
  std::ranges::sort(found, {}, &Scored::token);
  kept.scores.insert(kept.scores.end(), found.begin(), found.end());
  kept.ends.push_back(kept.scores.size());
}

/// top_k of ops/fused.hpp, where search(call) fills call.found and brings it to kept.found. Rows
/// that keep more than it can find, or have scores that are no numbers, come to the host whole.
template <class E, class T, Axis R, Axis A, class Search>
void top_k_by(E& engine, KeptScores& kept, View<T, R, A> x, const TopK& how,
              std::span<const std::int32_t> history, std::span<const std::int32_t> ahead,
              const Search& search) {
  if (how.k < 1 || how.k > top_k_searched) {
    return stamp::top_k(engine, kept, x, how, history, ahead);
  }
  check_count("top_k", x.extents()[0], ahead.size() + 1);
  kept.clear();
  const auto frame = engine.frame();
  const Index rows = x.extents()[0];
  const Index columns = x.extents()[1];
  constexpr Index row_size = 1 + top_k_most;
  const bool penalises = how.repetition_penalty != 1;
  const auto largest = engine.template allocate<float>(Tokens{rows * top_k_groups(columns)});
  const auto found = engine.template allocate<Scored>(Tokens{rows * row_size});
  kept.found.resize(static_cast<std::size_t>(rows * row_size));
  search(
      TopKCall<T>{.found = found.data(),
                  .largest = largest.data(),
                  .x = {x.data(), rows, columns, x.stride()},
                  .seen = penalises ? seen_by_rows(engine, kept, columns, history, ahead) : nullptr,
                  .penalty = how.repetition_penalty,
                  .temperature = how.temperature,
                  .k = static_cast<int>(how.k)});
  for (std::size_t row = 0; row <= ahead.size(); ++row) {
    const auto all = std::span(kept.found).subspan(row * row_size, row_size);
    const Index count = all.front().token;
    if (count >= 0 && count <= top_k_most) {
      keep_found(kept, all.subspan(1, static_cast<std::size_t>(count)),
                 static_cast<std::size_t>(how.k));
      continue;
    }
    kept.numbers.resize(static_cast<std::size_t>(columns));
    engine.download(std::span(kept.numbers),
                    View<T, R, A>(x.data() + static_cast<Index>(row) * x.stride(), R{1},
                                  x.template axis_at<1>()));
    keep_top_k(kept, kept.numbers, how, history, ahead.first(row));
  }
}

/// What top-k keeps of the rows (ops/fused.hpp); waits.
template <DeviceElement T, Axis R, Axis A>
void top_k(Engine<T>& engine, KeptScores& kept, View<T, R, A> x, const TopK& how,
           std::span<const std::int32_t> history, std::span<const std::int32_t> ahead = {}) {
  top_k_by(engine, kept, x, how, history, ahead, [&](const TopKCall<T>& call) {
    kernel::top_k<T>(engine.device().stream(), call);
    detail::download_bytes(engine.device(), std::span(kept.found), call.found);
  });
}

}  // namespace stamp::cuda
