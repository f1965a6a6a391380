// SPDX-License-Identifier: Apache-2.0
// A weight in the order that products read it, packed once when a model is loaded.
#pragma once

#include <algorithm>
#include <numeric>
#include <stamp/cpu/buffer.hpp>
#include <stamp/cpu/isa.hpp>
#include <stamp/cpu/kernels.hpp>
#include <stamp/cpu/pool.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <vector>

namespace stamp::cpu {

/// W [out, in] as panels of words (kernels.hpp). int8 packs spread rows
/// (Kernels::spread) and keeps, per output, scale = max|w|/127 and the sum of its integers, which
/// takes the zero of unsigned activations out of a product.
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

/// Outputs that are put into a panel at once: their words side by side fill a cache line.
inline constexpr Index pack_rows = 16;

/// Room for pack_rows rows of words and one row of floats.
struct PackScratch {
  explicit PackScratch(const Panels& w)
      : words(static_cast<std::size_t>(pack_rows * w.words)), row(static_cast<std::size_t>(w.in)) {}
  std::vector<std::uint32_t> words;
  std::vector<float> row;
};

/// Row `out` of a stored weight as words; what is behind its last number stays as it is.
inline void words_of_row(const Kernels& kernels, Panels& w, const StoredTensor& stored, Index out,
                         std::uint32_t* words, std::vector<float>& row) {
  const bool straight = w.type == Compute::bf16 && stored.type == ElementType::bfloat16;
  if (straight) {  // the stored pairs are the words
    std::memcpy(words, stored.data + out * w.in * 2, static_cast<std::size_t>(w.in * 2));
    return;
  }
  if (w.type == Compute::fp32) {
    widen_stored(stored, out * w.in, w.in, reinterpret_cast<float*>(words));
    return;
  }
  widen_stored(stored, out * w.in, w.in, row.data());
  if (w.type == Compute::bf16) {
    auto* const halves = reinterpret_cast<std::uint16_t*>(words);
    for (std::size_t in = 0; in < row.size(); ++in) halves[in] = bfloat16(row[in]).bits;
    return;
  }
  kernels.spread(row.data(), row.data(), w.in);
  auto* const bytes = reinterpret_cast<std::int8_t*>(words);
  w.scales[static_cast<std::size_t>(out)] = kernels.to_int8(bytes, row.data(), w.in);
  w.sums[static_cast<std::size_t>(out)] = std::accumulate(bytes, bytes + w.in, 0);
}

/// One panel from up to 64 rows of a stored weight.
inline void pack_panel(const Kernels& kernels, Panels& w, const StoredTensor& stored, Index at,
                       PackScratch& scratch) {
  auto* const panel = w.bytes.as<std::uint32_t>() + at * w.words * panel_width;
  for (Index column = 0; column < panel_width; column += pack_rows) {
    std::ranges::fill(scratch.words, 0U);
    const Index first = at * panel_width + column;
    for (Index row = 0; row < std::min(pack_rows, w.out - first); ++row) {
      words_of_row(kernels, w, stored, first + row, scratch.words.data() + row * w.words,
                   scratch.row);
    }
    for (Index word = 0; word < w.words; ++word) {
      std::uint32_t* const to = panel + word * panel_width + column;
      const std::uint32_t* const from = scratch.words.data() + word;
      for (Index row = 0; row < pack_rows; ++row) to[row] = from[row * w.words];
    }
  }
}

}  // namespace detail

/// Packs a stored weight [out, in] of any float type, panels shared among the threads. What has
/// been read of a mapped file is given back, so that file and panels are never both in memory.
[[nodiscard]] inline Panels pack(Pool& pool, const Kernels& kernels, const StoredTensor& stored,
                                 Index out, Index in, Compute type) {
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
    detail::PackScratch scratch(w);
    const Index end = std::min(w.panels(), (task + 1) * stretch);
    for (Index at = task * stretch; at < end; ++at)
      detail::pack_panel(kernels, w, stored, at, scratch);
    if (stored.mapped) {
      const Index row_bytes = in * bytes_of(stored.type);
      const Index first = task * stretch * panel_width;
      give_back_pages(stored.data + first * row_bytes,
                      (std::min(out, end * panel_width) - first) * row_bytes);
    }
  });
  return w;
}

}  // namespace stamp::cpu
