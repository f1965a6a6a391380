// SPDX-License-Identifier: Apache-2.0
// Antialiased marks on a picture: everything is a signed distance in pixels, and a pixel is covered
// by the share of it that lies inside (distance + 1/2, clamped).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <stamp/image/image.hpp>
#include <string_view>

namespace stamp {

/// An opaque sRGB colour, 0..255.
struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};

/// A place in a picture.
struct Point {
  float x = 0, y = 0;  ///< pixels, centres of pixels at whole numbers
};

/// Share of a pixel that is covered where the outline is `inside` pixels away.
[[nodiscard]] inline float coverage(float inside) { return std::clamp(inside + 0.5F, 0.0F, 1.0F); }

/// Mixes `colour` into the pixel with `share` 0..1.
void blend(std::uint8_t* pixel, Colour colour, float share);

/// How light a colour looks, 0..1 (Rec. 709 weights).
[[nodiscard]] float lightness(Colour colour);

namespace detail {

/// Digits as strokes through points "xy" of a grid 4 wide and 6 high; two blanks lift the pen.
inline constexpr std::array<std::string_view, 10> digit_strokes = {
    "103041453616050110",                // 0
    "112026",                            // 1
    "01103041420646",                    // 2
    "01103041423323  334445361605",      // 3
    "36300444",                          // 4
    "40000312324345361605",              // 5
    "413010010516364544331304",          // 6
    "004016",                            // 7
    "13020110304142331304051636454433",  // 8
    "051636454130100102133342",          // 9
};

}  // namespace detail

/// Calls `paint(pixel, point)` for the pixels of `image` within `reach` pixels of `centre`.
template <class Paint>
void for_pixels_near(Image& image, Point centre, float reach, const Paint& paint) {
  const auto first = [](float from) {
    return std::max<Index>(0, static_cast<Index>(std::floor(from)));
  };
  const Index right = std::min(image.width - 1, static_cast<Index>(std::ceil(centre.x + reach)));
  const Index bottom = std::min(image.height - 1, static_cast<Index>(std::ceil(centre.y + reach)));
  for (Index y = first(centre.y - reach); y <= bottom; ++y) {
    for (Index x = first(centre.x - reach); x <= right; ++x) {
      paint(image.pixels.data() + (y * image.width + x) * 3,
            Point{static_cast<float>(x), static_cast<float>(y)});
    }
  }
}

/// A disc of `radius` pixels in `fill` with a white ring around it.
void draw_disc(Image& image, Point centre, float radius, Colour fill);

/// The decimal `number` (not negative), centred at `centre`, `height` pixels high.
void draw_number(Image& image, Point centre, float height, Index number, Colour colour);

}  // namespace stamp
