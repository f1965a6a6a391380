// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: from positions to the angles by which pairs of a head turn.
#pragma once

#include <cmath>
#include <span>
#include <stamp/ops/backend.hpp>
#include <vector>

namespace stamp {

/// Cosine and sine of every (row, pair), in the engine's memory.
template <class B, Axis Row>
struct Rotary {
  View<const typename B::Number, Row, Pairs> cosine;
  View<const typename B::Number, Row, Pairs> sine;
};

/// theta^(-2j/dim) for j = 0 … dim/2-1, in the precision that the model computes angles in.
template <std::floating_point Number>
[[nodiscard]] std::vector<Number> inverse_frequencies(double theta, Index dim) {
  std::vector<Number> inverse(static_cast<std::size_t>(dim / 2));
  for (std::size_t j = 0; j < inverse.size(); ++j) {
    const Number exponent = static_cast<Number>(2 * j) / static_cast<Number>(dim);
    inverse[j] = 1 / std::pow(static_cast<Number>(theta), exponent);
  }
  return inverse;
}

/// Cosine and sine of coordinate · theta^(-2j/dim), rounded to `Round`, for each coordinate that is
/// asked for once: rows of an image share theirs, and so do columns and the words of an answer.
template <std::floating_point Number, class Round>
class Turns {
 public:
  Turns(double theta, Index dim) : inverse_(inverse_frequencies<Number>(theta, dim)) {}

  /// Frequencies, j = 0 … pairs-1.
  [[nodiscard]] std::size_t pairs() const { return inverse_.size(); }

  /// Coordinates below `coordinates` allocate nothing from here on.
  void reserve(Index coordinates) {
    const auto count = static_cast<std::size_t>(coordinates);
    if (count <= rows_.size()) return;
    rows_.resize(count, none);
    cosines_.reserve(count * pairs());
    sines_.reserve(count * pairs());
  }

  /// Computes those of all coordinates that are reserved.
  void make() {
    for (std::size_t at = 0; at < rows_.size(); ++at) (void)row_of(static_cast<Index>(at));
  }

  /// Appends cosines and sines of pairs [begin, end). `coordinate` is not negative.
  void append(std::vector<Number>& cosines, std::vector<Number>& sines, Index coordinate,
              std::size_t begin, std::size_t end) {
    const std::size_t row = row_of(coordinate);
    const auto copy = [&](std::vector<Number>& to, const std::vector<Number>& from) {
      const auto first = from.begin() + static_cast<std::ptrdiff_t>(row);
      to.insert(to.end(), first + static_cast<std::ptrdiff_t>(begin),
                first + static_cast<std::ptrdiff_t>(end));
    };
    copy(cosines, cosines_);
    copy(sines, sines_);
  }

 private:
  /// Where the coordinate's numbers begin.
  [[nodiscard]] std::size_t row_of(Index coordinate) {
    const auto at = static_cast<std::size_t>(coordinate);
    if (rows_.size() <= at) rows_.resize(at + 1, none);
    if (rows_[at] == none) {
      rows_[at] = cosines_.size();
      for (const Number frequency : inverse_) {
        const Number angle = static_cast<Number>(coordinate) * frequency;
        cosines_.push_back(static_cast<Number>(static_cast<Round>(std::cos(angle))));
        sines_.push_back(static_cast<Number>(static_cast<Round>(std::sin(angle))));
      }
    }
    return rows_[at];
  }

  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<Number> inverse_;
  std::vector<std::size_t> rows_;
  std::vector<Number> cosines_;
  std::vector<Number> sines_;
};

/// The tables in the engine's memory; `cosines` and `sines` are [Row, Pairs], row-major.
template <Backend B, Axis Row>
[[nodiscard]] Rotary<B, Row> rotary(B& engine, Row row, Pairs pairs,
                                    std::span<const typename B::Number> cosines,
                                    std::span<const typename B::Number> sines) {
  const auto resident = [&](std::span<const typename B::Number> numbers) {
    auto view = engine.template allocate<typename B::Number>(row, pairs);
    engine.upload(view, numbers);
    return view;
  };
  const auto cosine = resident(cosines);
  return {cosine, resident(sines)};
}

}  // namespace stamp
