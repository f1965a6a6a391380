// SPDX-License-Identifier: Apache-2.0
// A golden's answer word by word and its masks, more than once: what a dialogue tells on an engine
// that replays steps, for comparing with what it tells on one that does not.
#pragma once

#include <stamp/session/replay.hpp>
#include <vector>

namespace stamp::test {

/// Everything that a dialogue tells: words, and scores and masks in the order of their making.
struct Told {
  std::vector<std::int32_t> ids;
  std::vector<std::vector<float>> numbers;
  bool operator==(const Told&) const = default;
};

/// Listens and keeps nothing: passes run as they do for a tap, with numbers in the launches.
struct Listener {
  template <class B, class... Rest>
  static void record(B&, std::string_view, const Rest&...) {}
  static void record(std::string_view, std::initializer_list<Index>, std::span<const float>) {}
  static constexpr bool listens() { return true; }
  static Listener within(const std::string&) { return {}; }
};

/// Reads the prompt, says the answer of the run and makes each of its masks three times.
template <Backend B, class T>
[[nodiscard]] Told tell_run(B& engine, const Stamp<B>& stamp, const ReplayInput& input,
                            const T& tap) {
  Dialogue<B> dialogue(engine, stamp);
  Told told;
  if (!input.grids.empty()) dialogue.look(input.pixel_values, input.grids, tap);
  const auto ids = std::span<const std::int32_t>(input.ids);
  const auto prompt = ids.first(static_cast<std::size_t>(input.prompt_length));
  const auto answer = ids.subspan(prompt.size());
  std::size_t next = 0;
  const auto pick = [&](std::span<const float> row, auto) {
    told.numbers.emplace_back(row.begin(), row.end());
    return answer[next++];
  };
  (void)dialogue.generate(
      dialogue.read(prompt, std::ssize(prompt) - 1, tap), -1, std::ssize(answer), pick,
      [](std::int32_t) {}, tap);
  for (int again = 0; again < 3 && dialogue.image(); ++again) {
    for (Index token = 0; token < std::ssize(ids); ++token) {
      if (ids[static_cast<std::size_t>(token)] != stamp.config.tokens.seg) continue;
      told.numbers.push_back(dialogue.segment(token, input.mask_positions, tap).values);
    }
  }
  // Two short answers chosen among what top-k keeps: the last token, then the middle one.
  const TopK how{.k = 5, .temperature = 0.8F, .repetition_penalty = 1.2F};
  for (const Index drafted : {0, 3}) {
    dialogue.draft(drafted);
    const auto choose = [&](std::span<const Scored> kept) {
      std::vector<float> scores;
      for (const Scored& one : kept) scores.push_back(one.score);
      told.numbers.push_back(scores);
      return kept[drafted == 0 ? kept.size() - 1 : kept.size() / 2].token;
    };
    const auto said = dialogue.generate_among(
        dialogue.read(ids.first(1), 0, tap), how, -1, 4, choose, [](std::int32_t) {}, tap);
    told.ids.insert(told.ids.end(), said.begin(), said.end());
  }
  return told;
}

}  // namespace stamp::test
