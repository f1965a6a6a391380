// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/overlay.hpp>.
#pragma once

#include <algorithm>
#include <optional>
#include <stamp/image/overlay.hpp>

namespace stamp {

Colour mask_colour(Index mask) {
  static constexpr std::array<Colour, 12> colours = {{{0, 158, 255},
                                                      {255, 110, 0},
                                                      {0, 190, 130},
                                                      {225, 80, 170},
                                                      {245, 225, 60},
                                                      {100, 60, 220},
                                                      {90, 210, 245},
                                                      {200, 20, 40},
                                                      {150, 220, 50},
                                                      {250, 170, 200},
                                                      {20, 110, 110},
                                                      {180, 130, 60}}};
  return colours[static_cast<std::size_t>(mask) % colours.size()];
}

namespace detail {

/// The box around the foreground with `margin` pixels about it, inside the picture.
[[nodiscard]] inline std::optional<Box> foreground_box(const Bitmap& mask, Index margin) {
  Index left = mask.width, top = mask.height, right = -1, bottom = -1;
  for (Index y = 0; y < mask.height; ++y) {
    const std::uint8_t* row = mask.cells.data() + y * mask.width;
    for (Index x = 0; x < mask.width; ++x) {
      if (row[x] == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  if (right < 0) return std::nullopt;
  left = std::max<Index>(0, left - margin), top = std::max<Index>(0, top - margin);
  right = std::min(mask.width - 1, right + margin),
  bottom = std::min(mask.height - 1, bottom + margin);
  return Box{left, top, right - left + 1, bottom - top + 1};
}

/// The part of the mask in `box` with a rim of background one pixel wide, so that a mask that
/// touches the picture's edge is outlined there, too.
[[nodiscard]] inline Bitmap rimmed_part(const Bitmap& mask, const Box& box) {
  Bitmap part{.width = box.width + 2, .height = box.height + 2};
  part.cells.resize(static_cast<std::size_t>(part.width * part.height));
  for (Index y = 0; y < box.height; ++y) {
    const std::uint8_t* row = mask.cells.data() + (box.top + y) * mask.width + box.left;
    std::copy(row, row + box.width, part.cells.data() + (y + 1) * part.width + 1);
  }
  return part;
}

/// A small blur (1 2 3 2 1 along both axes) that takes the pixel stairs out of an outline.
[[nodiscard]] inline Field smoothed(const Field& field) {
  constexpr std::array<float, 5> weights = {1 / 9.0F, 2 / 9.0F, 3 / 9.0F, 2 / 9.0F, 1 / 9.0F};
  const auto pass = [&](const Field& from, Index step_x, Index step_y) {
    Field to = from;
    for (Index y = 0; y < from.height; ++y) {
      for (Index x = 0; x < from.width; ++x) {
        float sum = 0;
        for (Index k = -2; k <= 2; ++k) {
          sum += weights[static_cast<std::size_t>(k + 2)] *
                 from.at(std::clamp<Index>(x + k * step_x, 0, from.width - 1),
                         std::clamp<Index>(y + k * step_y, 0, from.height - 1));
        }
        to.values[static_cast<std::size_t>(y * from.width + x)] = sum;
      }
    }
    return to;
  };
  return pass(pass(field, 1, 0), 0, 1);
}

/// Where a badge stands: deep inside its mask, but not on an earlier badge.
[[nodiscard]] inline Point badge_place(const Field& distance, const Box& box, float radius,
                                       const Image& image, std::span<const Point> taken) {
  const Point middle{static_cast<float>(box.left) + static_cast<float>(box.width - 1) / 2,
                     static_cast<float>(box.top) + static_cast<float>(box.height - 1) / 2};
  Point best{};
  float best_worth = -1e9F;
  for (Index y = 1; y <= box.height; ++y) {
    for (Index x = 1; x <= box.width; ++x) {
      const float inside = distance.at(x, y);
      if (inside <= 0) continue;
      const Point here{static_cast<float>(box.left + x - 1), static_cast<float>(box.top + y - 1)};
      // Among places equally deep, as in a bar, the one nearest to the middle.
      float worth = inside - 0.02F * std::hypot(here.x - middle.x, here.y - middle.y);
      for (const Point& other : taken) {
        const float apart = std::hypot(here.x - other.x, here.y - other.y);
        if (apart < 2.4F * radius) worth -= 2 * (2.4F * radius - apart);
      }
      if (worth > best_worth) best = here, best_worth = worth;
    }
  }
  // A mask that its badge would hide gets it beside it: above, or below where there is no room.
  if (best_worth < 0.8F * radius) {
    float height_inside = 0;
    const auto column = static_cast<Index>(best.x) - box.left + 1;
    const auto row = static_cast<Index>(best.y) - box.top + 1;
    while (row - static_cast<Index>(height_inside) > 0 &&
           distance.at(column, row - static_cast<Index>(height_inside)) > 0) {
      ++height_inside;
    }
    const float shift = height_inside + 1.45F * radius;
    best.y += best.y - shift > radius ? -shift : shift;
  }
  const float margin = radius * 1.2F + 1;
  best.x =
      std::clamp(best.x, margin, std::max(margin, static_cast<float>(image.width) - 1 - margin));
  best.y =
      std::clamp(best.y, margin, std::max(margin, static_cast<float>(image.height) - 1 - margin));
  return best;
}

}  // namespace detail

Image overlay(Image image, std::span<const Bitmap> masks, const OverlayOptions& options) {
  const auto shorter = static_cast<float>(std::min(image.width, image.height));
  const float line = options.line > 0 ? options.line : std::clamp(shorter / 160, 1.5F, 12.0F);
  const float casing = std::max(1.0F, line * 0.5F);
  const float radius = std::clamp(shorter / 26, 8.0F, 90.0F);
  const bool has_room_for_badges = shorter >= 40;

  std::vector<Point> badges;
  std::vector<Index> badge_numbers;
  for (std::size_t k = 0; k < masks.size(); ++k) {
    const Bitmap& mask = masks[k];
    if (mask.width != image.width || mask.height != image.height ||
        std::ssize(mask.cells) != mask.width * mask.height) {
      fail(Fault::usage, "overlay: mask " + std::to_string(mask.width) + "x" +
                             std::to_string(mask.height) + ", image " +
                             std::to_string(image.width) + "x" + std::to_string(image.height));
    }
    const auto margin = static_cast<Index>(line + 2 * casing) + 3;
    const auto box = detail::foreground_box(mask, margin);
    if (!box) continue;
    const Field sharp = signed_distance(detail::rimmed_part(mask, *box));
    const Field smooth = detail::smoothed(sharp);
    const Colour colour = mask_colour(static_cast<Index>(k));
    for (Index y = 0; y < box->height; ++y) {
      std::uint8_t* pixel = image.pixels.data() + ((box->top + y) * image.width + box->left) * 3;
      for (Index x = 0; x < box->width; ++x, pixel += 3) {
        // The outline lies outside the mask's own edge by half its width: small masks stay visible.
        const float inside = smooth.at(x + 1, y + 1);
        const float from_line = std::abs(inside + line / 2);
        blend(pixel, colour, options.tint * coverage(inside));
        blend(pixel, {0, 0, 0}, 0.45F * coverage(line / 2 + 2 * casing - from_line));
        blend(pixel, {255, 255, 255}, coverage(line / 2 + casing - from_line));
        blend(pixel, colour, coverage(line / 2 - from_line));
      }
    }
    if (!has_room_for_badges) continue;
    badges.push_back(detail::badge_place(sharp, *box, radius, image, badges));
    badge_numbers.push_back(static_cast<Index>(k));
  }
  for (std::size_t i = 0; i < badges.size(); ++i) {  // last, so that no tint covers them
    const Colour colour = mask_colour(badge_numbers[i]);
    const Index number = badge_numbers[i] + options.first_number;
    const float digits_height = radius * (number < 10 ? 1.05F : number < 100 ? 0.8F : 0.6F);
    draw_disc(image, badges[i], radius, colour);
    draw_number(image, badges[i], digits_height, number,
                lightness(colour) > 0.55F ? Colour{20, 20, 20} : Colour{255, 255, 255});
  }
  return image;
}

}  // namespace stamp
