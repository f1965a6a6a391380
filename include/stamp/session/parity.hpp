// SPDX-License-Identifier: Apache-2.0
// Is it PyTorch's number? One row a named activation, and the one tolerance of the project.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <stamp/observe/recorder.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp {

/// |found - expected| ≤ steps · (absolute + relative · |expected|).
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// The defaults of torch.testing.assert_close for the type that the run computes in.
[[nodiscard]] constexpr Tolerance tolerance_of(ElementType type) {
  switch (type) {
    case ElementType::float64:
      return {1e-7, 1e-7};
    case ElementType::float16:
      return {1e-3, 1e-5};
    case ElementType::bfloat16:
      return {1.6e-2, 1e-5};
    default:
      return {1.3e-6, 1e-5};
  }
}

/// From 1 to the next number.
[[nodiscard]] constexpr double epsilon_of(ElementType type) {
  switch (type) {
    case ElementType::float64:
      return 0x1p-52;
    case ElementType::float16:
      return 0x1p-10;
    case ElementType::bfloat16:
      return 0x1p-7;
    default:
      return 0x1p-23;
  }
}
/// Two runs agree no better than the coarser one's type allows.
[[nodiscard]] constexpr ElementType coarser(ElementType a, ElementType b) {
  return epsilon_of(a) > epsilon_of(b) ? a : b;
}

/// The type that a run computed in, by the name that PyTorch or --dtype has for it; `stored` where
/// it says nothing. 8-bit weights come with activations in bfloat16.
[[nodiscard]] constexpr ElementType computed_in(std::string_view name, ElementType stored) {
  for (const std::string_view known : {"bfloat16", "bf16", "int8", "fp8"}) {
    if (name == known) return ElementType::bfloat16;
  }
  if (name == "float64" || name == "fp64") return ElementType::float64;
  return name == "float32" || name == "fp32" ? ElementType::float32 : stored;
}

/// How an activation compares with PyTorch's.
struct ParityRow {
  std::string name;
  std::vector<Index> shape{};        ///< PyTorch's
  std::vector<Index> found_shape{};  ///< ours; empty where we have no such activation
  double largest_difference = 0;     ///< max |found - expected|
  double largest_relative = 0;       ///< the same over max |expected|
  /// Relative L2, ‖found - expected‖ / ‖expected‖, 0 where both are zero; NaN where shapes differ.
  double distance = std::numeric_limits<double>::quiet_NaN();
  /// Of the angle between them; NaN where shapes differ or either is zero.
  double cosine = std::numeric_limits<double>::quiet_NaN();
  double steps = 1;            ///< what the tolerance was scaled by
  double used = 0;             ///< largest share of the tolerance that an element uses
  std::vector<Index> worst{};  ///< where that element is
  bool ok = false;
};

/// The number that `digits` begins with, 0 if none; capped, for names come from any file.
[[nodiscard]] constexpr Index leading_number(std::string_view digits) {
  constexpr Index largest = 1'000'000;
  Index number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') break;
    number = std::min(largest, 10 * number + (digit - '0'));
  }
  return number;
}

/// How many layers' rounding an activation has been through: what the tolerance is scaled by.
/// Each vision block, merger, decoder layer, norm and product counts one.
[[nodiscard]] double steps_before(std::string_view name, Index vision_layers,
                                  Index language_layers);

/// Compares one activation; `steps` scales the tolerance.
template <std::floating_point Number>
[[nodiscard]] ParityRow compare(std::string name, const Recorded<double>& expected,
                                const Recorded<Number>* found, Tolerance tolerance, double steps) {
  ParityRow row{.name = std::move(name), .shape = expected.shape, .steps = steps};
  if (found == nullptr) return row;
  row.found_shape = found->shape;
  if (found->shape != expected.shape || found->values.size() != expected.values.size()) return row;
  double dot = 0;
  double apart = 0;
  double ours = 0;
  double theirs = 0;
  double largest = 0;
  std::size_t worst = 0;
  bool finite = true;
  for (std::size_t at = 0; at < expected.values.size(); ++at) {
    const double a = expected.values[at];
    const auto b = static_cast<double>(found->values[at]);
    finite = finite && std::isfinite(a) && std::isfinite(b);
    const double difference = std::abs(a - b);
    const double allowed = steps * (tolerance.absolute + tolerance.relative * std::abs(a));
    if (difference / allowed > row.used) {
      row.used = difference / allowed;
      worst = at;
    }
    row.largest_difference = std::max(row.largest_difference, difference);
    largest = std::max(largest, std::abs(a));
    apart += difference * difference;
    dot += a * b;
    theirs += a * a;
    ours += b * b;
  }
  row.largest_relative = largest > 0 ? row.largest_difference / largest : row.largest_difference;
  row.distance = apart == 0 ? 0 : std::sqrt(apart / theirs);
  if (theirs > 0 && ours > 0) row.cosine = dot / std::sqrt(theirs) / std::sqrt(ours);
  row.worst.resize(expected.shape.size());
  for (std::size_t axis = expected.shape.size(); axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(expected.shape[axis]);
    row.worst[axis] = extent == 0 ? 0 : static_cast<Index>(worst % extent);
    worst = extent == 0 ? 0 : worst / extent;
  }
  row.ok = finite && row.used <= 1;
  return row;
}

/// Judges a row by its distance alone: steps · relative at most, of which `used` is the share. For
/// types of few bits, in which sums that nearly cancel come out as far off as their terms: elements
/// near zero miss any relative tolerance then, and say nothing.
inline void judge_by_distance(ParityRow& row, double relative) {
  if (row.found_shape != row.shape) return;
  row.used = row.distance == 0 ? 0 : row.distance / (row.steps * relative);
  row.ok = row.used <= 1;
}

}  // namespace stamp
