// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/distance.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/distance.hpp>

namespace stamp {

namespace detail {

inline constexpr float very_far = 1e12F;

/// Scratch of one pass: the lower envelope of the parabolas over a line.
struct Envelope {
  std::vector<float> input;     ///< squared distances along the line before this pass
  std::vector<Index> vertices;  ///< positions of the parabolas that form the envelope
  std::vector<float> borders;   ///< where one takes over from the one before
  explicit Envelope(Index length)
      : input(static_cast<std::size_t>(length)),
        vertices(static_cast<std::size_t>(length)),
        borders(static_cast<std::size_t>(length) + 1) {}
};

/// Replaces `count` values, `stride` apart, by min over q of (p - q)² + value(q).
inline void transform_line(float* values, Index count, Index stride, Envelope& envelope) {
  float* input = envelope.input.data();
  Index* vertices = envelope.vertices.data();
  float* borders = envelope.borders.data();
  for (Index i = 0; i < count; ++i) input[i] = values[i * stride];
  const auto meet = [&](Index p, Index q) {  // where the parabola of p takes over from that of q
    const double a = static_cast<double>(p), b = static_cast<double>(q);
    return static_cast<float>(((input[p] + a * a) - (input[q] + b * b)) / (2 * (a - b)));
  };
  Index top = 0;
  vertices[0] = 0;
  borders[0] = -very_far;
  borders[1] = very_far;
  for (Index p = 1; p < count; ++p) {
    float border = meet(p, vertices[top]);
    while (top > 0 && border <= borders[top]) border = meet(p, vertices[--top]);
    vertices[++top] = p;
    borders[top] = border;
    borders[top + 1] = very_far;
  }
  for (Index i = 0, current = 0; i < count; ++i) {
    while (current < top && borders[current + 1] < static_cast<float>(i)) ++current;
    const auto away = static_cast<float>(i - vertices[current]);
    values[i * stride] = away * away + input[vertices[current]];
  }
}

/// Squared distance of each pixel's centre to the nearest centre where `is_target(cell)`.
template <class Target>
[[nodiscard]] Field squared_distances(const Bitmap& mask, Target is_target) {
  Field field{.width = mask.width, .height = mask.height};
  field.values.reserve(mask.cells.size());
  for (const std::uint8_t cell : mask.cells) field.values.push_back(is_target(cell) ? 0 : very_far);
  Envelope envelope(std::max(mask.width, mask.height));
  for (Index x = 0; x < mask.width; ++x) {
    transform_line(field.values.data() + x, mask.height, mask.width, envelope);
  }
  for (Index y = 0; y < mask.height; ++y) {
    transform_line(field.values.data() + y * mask.width, mask.width, 1, envelope);
  }
  return field;
}

}  // namespace detail

Field signed_distance(const Bitmap& mask) {
  Field inside = detail::squared_distances(mask, [](std::uint8_t cell) { return cell == 0; });
  const Field outside =
      detail::squared_distances(mask, [](std::uint8_t cell) { return cell != 0; });
  for (std::size_t i = 0; i < inside.values.size(); ++i) {
    inside.values[i] = mask.cells[i] != 0 ? std::sqrt(inside.values[i]) - 0.5F
                                          : 0.5F - std::sqrt(outside.values[i]);
  }
  return inside;
}

}  // namespace stamp
