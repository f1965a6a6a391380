// SPDX-License-Identifier: Apache-2.0
// A dialogue with a tiny model of random weights: one picture, a question, an answer that names
// objects. What the properties of two-phase inference are tested on.
#pragma once

#include <algorithm>
#include <parity/random_weights.hpp>
#include <stamp/reference/engine.hpp>
#include <stamp/stamp.hpp>
#include <vector>

namespace stamp::test {

/// im_start 3 vision_start pads vision_end 7 8 9 im_end: a question about an image of 2 × 3 cells.
[[nodiscard]] inline std::vector<std::int32_t> tiny_prompt(Index cells = 6) {
  std::vector<std::int32_t> ids{token::im_start, 3, token::vision_start};
  ids.insert(ids.end(), static_cast<std::size_t>(cells), token::image_pad);
  ids.insert(ids.end(), {token::vision_end, 7, 8, 9, token::im_end});
  return ids;
}

/// Engine, bound model and a dialogue about one image that has not been read yet.
template <Element T>
struct TinyDialogue {
  using Engine = reference::Engine<T>;
  using Number = typename Engine::Number;

  Engine engine{2};
  Stamp<Engine> stamp{tiny_config()};
  RandomWeights weights{expected_tensors(stamp), 7};
  qwen2_vl::PatchGrid grid{1, 4, 6};
  Dialogue<Engine> dialogue{engine, stamp};

  TinyDialogue() {
    bind(engine, stamp, weights);
    dialogue.look(pixels(), grids());
  }
  TinyDialogue(const TinyDialogue&) = delete;
  TinyDialogue& operator=(const TinyDialogue&) = delete;

  [[nodiscard]] std::span<const qwen2_vl::PatchGrid> grids() const { return {&grid, 1}; }
  [[nodiscard]] std::vector<float> pixels() const {
    const auto drawn = random_numbers(grid.patches() * stamp.config.vision.patch_length(), 5);
    return {drawn.begin(), drawn.end()};
  }

  /// Reads the prompt and says `answer`, whatever the model would have said.
  void say(const std::vector<std::int32_t>& answer) {
    std::size_t said = 0;
    (void)dialogue.generate(
        dialogue.read(tiny_prompt()), token::im_end, static_cast<Index>(answer.size()),
        [&](auto, auto) { return answer[said++]; }, [](std::int32_t) {});
  }

  /// Where the dialogue says `<|seg|>`.
  [[nodiscard]] std::vector<Index> objects() const {
    std::vector<Index> found;
    const auto ids = dialogue.tokens();
    for (std::size_t at = 0; at < ids.size(); ++at) {
      if (ids[at] == token::seg) found.push_back(static_cast<Index>(at));
    }
    return found;
  }
};

/// The largest difference of two lists of numbers, relative to the largest number.
template <class Numbers>
[[nodiscard]] double difference(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return 1e300;
  double largest = 0;
  double apart = 0;
  for (std::size_t at = 0; at < a.size(); ++at) {
    largest = std::max(largest, std::abs(static_cast<double>(a[at])));
    apart = std::max(apart, std::abs(static_cast<double>(a[at]) - static_cast<double>(b[at])));
  }
  return apart / largest;
}

}  // namespace stamp::test
