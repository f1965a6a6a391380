// SPDX-License-Identifier: Apache-2.0
// What must hold of an overlay whatever it looks like; how it looks is judged by eye.
#include <image/goldens.hpp>
#include <stamp/image/overlay.hpp>

namespace {

using namespace stamp;

Image grey_picture(Index width, Index height) {
  return {.width = width,
          .height = height,
          .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), 128)};
}

Bitmap disc(Index width, Index height, Index x0, Index y0, Index radius) {
  Bitmap mask{.width = width, .height = height};
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      mask.cells.push_back((x - x0) * (x - x0) + (y - y0) * (y - y0) <= radius * radius ? 1 : 0);
    }
  }
  return mask;
}

/// Pixels that differ, and how many of them are further than `reach` from the mask.
std::pair<int, int> changes(const Image& before, const Image& after, const Field& distance,
                            float reach) {
  int changed = 0, far = 0;
  for (std::size_t i = 0; i < distance.values.size(); ++i) {
    const bool differs =
        !std::equal(&before.pixels[3 * i], &before.pixels[3 * i] + 3, &after.pixels[3 * i]);
    changed += differs;
    far += differs && distance.values[i] < -reach;
  }
  return {changed, far};
}

TEST(SignedDistance, EqualsTheSearchOfAllPairs) {
  Bitmap mask = disc(23, 17, 8, 7, 5);
  mask.cells[16 * 23 + 22] = 1;
  const Field field = signed_distance(mask);
  for (Index y = 0; y < 17; ++y) {
    for (Index x = 0; x < 23; ++x) {
      const bool inside = mask.cells[static_cast<std::size_t>(y * 23 + x)] != 0;
      double nearest = 1e9;
      for (Index v = 0; v < 17; ++v) {
        for (Index u = 0; u < 23; ++u) {
          if ((mask.cells[static_cast<std::size_t>(v * 23 + u)] != 0) == inside) continue;
          nearest =
              std::min(nearest, std::hypot(static_cast<double>(x - u), static_cast<double>(y - v)));
        }
      }
      EXPECT_NEAR(field.at(x, y), inside ? nearest - 0.5 : 0.5 - nearest, 1e-4);
    }
  }
}

TEST(Overlay, NoMaskOrAnEmptyOneLeavesThePicture) {
  const Image image = grey_picture(60, 50);
  EXPECT_EQ(overlay(image, {}).pixels, image.pixels);
  const std::vector<Bitmap> empty = {disc(60, 50, 500, 500, 3)};
  EXPECT_EQ(overlay(image, empty).pixels, image.pixels);
}

TEST(Overlay, TintsInsideAndLeavesTheRestAlone) {
  const Image image = grey_picture(320, 240);
  const std::vector<Bitmap> masks = {disc(320, 240, 160, 120, 70)};
  const Image result = overlay(image, masks);
  const auto [changed, far] = changes(image, result, signed_distance(masks[0]), 8);
  EXPECT_GT(changed, 15'000);
  EXPECT_EQ(far, 0);
  const Colour colour = mask_colour(0);
  const std::uint8_t* inside = &result.pixels[(120 * 320 + 120) * 3];  // beside the badge
  EXPECT_NEAR(inside[2], 128 + 0.42 * (colour.blue - 128), 1.5);
}

TEST(Overlay, ASinglePixelCanBeSeen) {
  const Image image = grey_picture(320, 240);
  const std::vector<Bitmap> masks = {disc(320, 240, 100, 100, 0)};
  const Image result = overlay(image, masks, {.line = 2});
  EXPECT_GT(changes(image, result, signed_distance(masks[0]), 1000).first, 200);
}

TEST(Overlay, MasksHaveColoursAndNumbersOfTheirOwn) {
  const Image image = grey_picture(320, 240);
  const std::vector<Bitmap> first = {disc(320, 240, 160, 120, 60)};
  const std::vector<Bitmap> second = {disc(320, 240, 500, 500, 3), first[0]};
  const Image result = overlay(image, second);
  const std::uint8_t* inside = &result.pixels[(120 * 320 + 125) * 3];  // beside the badge
  EXPECT_NEAR(inside[0], 128 + 0.42 * (mask_colour(1).red - 128), 1.5);
  EXPECT_NE(overlay(image, first).pixels, result.pixels);
  EXPECT_NE(overlay(image, first).pixels, overlay(image, first, {.first_number = 1}).pixels);
}

TEST(Overlay, AnySizeAndAnyMask) {
  for (const auto& [width, height] :
       {std::pair<Index, Index>{1, 1}, {1, 200}, {200, 1}, {39, 41}, {640, 48}}) {
    std::vector<Bitmap> masks;
    for (Index k = 0; k < 14; ++k)
      masks.push_back(disc(width, height, k * width / 14, height / 2, k * k));
    masks.push_back(disc(width, height, 0, 0, 1000));
    EXPECT_EQ(std::ssize(overlay(grey_picture(width, height), masks).pixels), width * height * 3);
  }
}

TEST(Overlay, RefusesAMaskOfAnotherSize) {
  const std::vector<Bitmap> masks = {disc(7, 5, 2, 2, 1)};
  const std::string error = test::error_of([&] { (void)overlay(grey_picture(5, 7), masks); });
  EXPECT_NE(error.find("mask 7x5, image 5x7"), std::string::npos);
}

}  // namespace
