// SPDX-License-Identifier: Apache-2.0
// A weight in the order that products read it, packed once when a model is loaded.
#pragma once

#include <cmath>
#include <stamp/cpu/buffer.hpp>
#include <stamp/cpu/isa.hpp>
#include <stamp/cpu/kernels.hpp>
#include <stamp/cpu/pool.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <vector>

namespace stamp::cpu {

/// W [out, in] as panels of words (kernels.hpp). int8 keeps, per output, scale = max|w|/127 and
/// the sum of its integers, which turns unsigned activations back into signed ones.
struct Panels {
  Compute type = Compute::fp32;
  Index out = 0;
  Index in = 0;
  Index words = 0;  ///< a panel's rows: inputs over numbers a word, padded to word_block
  Buffer bytes{};
  std::vector<float> scales{};
  std::vector<std::int32_t> sums{};

  [[nodiscard]] Index panels() const { return round_up(out, panel_width) / panel_width; }
  [[nodiscard]] const std::uint32_t* panel(Index at) const {
    return bytes.as<std::uint32_t>() + at * words * panel_width;
  }
  /// Words that hold inputs: what lies behind them is padding.
  [[nodiscard]] Index used_words() const { return words_of(type, in); }

  [[nodiscard]] static constexpr Index numbers_a_word(Compute type) {
    return type == Compute::fp32 ? 1 : type == Compute::bf16 ? 2 : 4;
  }
  [[nodiscard]] static constexpr Index words_of(Compute type, Index in) {
    return (in + numbers_a_word(type) - 1) / numbers_a_word(type);
  }
};

namespace detail {

/// One panel from up to 64 rows of a stored weight. `row` is scratch for one row.
inline void pack_panel(Panels& w, const StoredTensor& stored, Index at, std::vector<float>& row) {
  auto* const panel = w.bytes.as<std::uint32_t>() + at * w.words * panel_width;
  std::memset(panel, 0, static_cast<std::size_t>(w.words * panel_width) * sizeof(std::uint32_t));
  const Index rows = std::min(panel_width, w.out - at * panel_width);
  for (Index column = 0; column < rows; ++column) {
    const Index out = at * panel_width + column;
    const bool straight = w.type == Compute::bf16 && stored.type == ElementType::bfloat16;
    if (straight) {  // the stored pairs are the words
      const std::byte* const from = stored.data + out * w.in * 2;
      for (Index word = 0; word < w.in / 2; ++word) {
        std::memcpy(panel + word * panel_width + column, from + 4 * word, 4);
      }
      if (w.in % 2 == 1) {
        std::memcpy(panel + w.in / 2 * panel_width + column, from + 2 * (w.in - 1), 2);
      }
      continue;
    }
    widen_stored(stored, out * w.in, w.in, row.data());
    if (w.type == Compute::int8) {
      float most = 0;
      for (const float value : row) most = std::max(most, std::abs(value));
      const float scale = most / 127;
      const float inverse = scale > 0 ? 1 / scale : 0;
      auto* const bytes = reinterpret_cast<std::int8_t*>(panel);
      std::int32_t sum = 0;
      for (Index in = 0; in < w.in; ++in) {
        const auto whole =
            static_cast<std::int8_t>(std::lrintf(row[static_cast<std::size_t>(in)] * inverse));
        bytes[(in / 4 * panel_width + column) * 4 + in % 4] = whole;
        sum += whole;
      }
      // A weight that is no number makes every product with its row no number.
      w.scales[static_cast<std::size_t>(out)] = std::isfinite(most) ? scale : NAN;
      w.sums[static_cast<std::size_t>(out)] = sum;
    } else if (w.type == Compute::bf16) {
      auto* const halves = reinterpret_cast<std::uint16_t*>(panel);
      for (Index in = 0; in < w.in; ++in) {
        halves[(in / 2 * panel_width + column) * 2 + in % 2] =
            bfloat16(row[static_cast<std::size_t>(in)]).bits;
      }
    } else {
      for (Index in = 0; in < w.in; ++in) {
        panel[in * panel_width + column] =
            std::bit_cast<std::uint32_t>(row[static_cast<std::size_t>(in)]);
      }
    }
  }
}

}  // namespace detail

/// Packs a stored weight [out, in] of any float type, panels shared among the threads.
[[nodiscard]] inline Panels pack(Pool& pool, const StoredTensor& stored, Index out, Index in,
                                 Compute type) {
  Panels w{.type = type, .out = out, .in = in};
  w.words = round_up(Panels::words_of(type, in), word_block);
  const Index numbers = checked_multiply(w.panels() * panel_width, w.words, "packed weight");
  w.bytes = Buffer(checked_multiply(numbers, 4, "packed weight"));
  if (type == Compute::int8) {
    const auto padded = static_cast<std::size_t>(w.panels() * panel_width);
    w.scales.assign(padded, 0);
    w.sums.assign(padded, 0);
  }
  // A stretch of panels a task: what one task reads of the file lies together.
  constexpr Index stretch = 4;
  pool.run((w.panels() + stretch - 1) / stretch, numbers, [&](Index task, Index) {
    std::vector<float> row(static_cast<std::size_t>(in));
    for (Index at = task * stretch; at < std::min(w.panels(), (task + 1) * stretch); ++at) {
      detail::pack_panel(w, stored, at, row);
    }
  });
  return w;
}

}  // namespace stamp::cpu
