// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/draw.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/draw.hpp>

namespace stamp {

void blend(std::uint8_t* pixel, Colour colour, float share) {
  const std::array<std::uint8_t, 3> to = {colour.red, colour.green, colour.blue};
  for (std::size_t c = 0; c < 3; ++c) {
    const auto from = static_cast<float>(pixel[c]);
    pixel[c] =
        static_cast<std::uint8_t>(std::lround(from + (static_cast<float>(to[c]) - from) * share));
  }
}

float lightness(Colour colour) {
  return (0.2126F * colour.red + 0.7152F * colour.green + 0.0722F * colour.blue) / 255;
}

namespace detail {

[[nodiscard]] inline float distance_to_segment(Point p, Point a, Point b) {
  const float ab_x = b.x - a.x, ab_y = b.y - a.y, ap_x = p.x - a.x, ap_y = p.y - a.y;
  const float squared = ab_x * ab_x + ab_y * ab_y;
  const float along =
      squared > 0 ? std::clamp((ap_x * ab_x + ap_y * ab_y) / squared, 0.0F, 1.0F) : 0.0F;
  return std::hypot(ap_x - along * ab_x, ap_y - along * ab_y);
}

/// Distance in grid units from `p` to the strokes of a digit.
[[nodiscard]] inline float distance_to_digit(Point p, std::size_t digit) {
  const std::string_view strokes = digit_strokes[digit];
  float nearest = 1e9F;
  for (std::size_t i = 0; i + 3 < strokes.size(); i += 2) {
    if (strokes[i] == ' ' || strokes[i + 2] == ' ') continue;
    const auto number = [&](std::size_t at) { return static_cast<float>(strokes[at] - '0'); };
    nearest = std::min(nearest, distance_to_segment(p, {number(i), number(i + 1)},
                                                    {number(i + 2), number(i + 3)}));
  }
  return nearest;
}

}  // namespace detail

void draw_disc(Image& image, Point centre, float radius, Colour fill) {
  const float ring = std::max(1.0F, radius * 0.14F);
  for_pixels_near(image, centre, radius + ring + 2, [&](std::uint8_t* pixel, Point at) {
    const float away = std::hypot(at.x - centre.x, at.y - centre.y);
    blend(pixel, {0, 0, 0},
          0.35F * std::clamp((radius + ring + 2 - away) / 2, 0.0F, 1.0F));  // shadow
    blend(pixel, {255, 255, 255}, coverage(radius + ring - away));
    blend(pixel, fill, coverage(radius - away));
  });
}

void draw_number(Image& image, Point centre, float height, Index number, Colour colour) {
  std::vector<std::size_t> digits;
  do {
    digits.insert(digits.begin(), static_cast<std::size_t>(number % 10));
    number /= 10;
  } while (number > 0);
  constexpr float grid_width = 4, grid_height = 6, gap = 2, stroke = 1.05F;  // in grid units
  const float unit = height / grid_height;
  const float advance = grid_width + gap;
  const float left = -(static_cast<float>(digits.size()) * advance - gap) / 2;
  for_pixels_near(image, centre, height * static_cast<float>(digits.size()),
                  [&](std::uint8_t* pixel, Point at) {
                    float nearest = 1e9F;
                    for (std::size_t i = 0; i < digits.size(); ++i) {
                      const Point grid{
                          (at.x - centre.x) / unit - left - static_cast<float>(i) * advance,
                          (at.y - centre.y) / unit + grid_height / 2};
                      nearest = std::min(nearest, detail::distance_to_digit(grid, digits[i]));
                    }
                    blend(pixel, colour, coverage((stroke / 2 - nearest) * unit));
                  });
}

}  // namespace stamp
