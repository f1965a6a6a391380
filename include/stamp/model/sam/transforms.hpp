// SPDX-License-Identifier: Apache-2.0
// From a picture to the padded square that SAM looks at, and from its logits back to the picture.
// Mirrors segment_anything/utils/transforms.py and Sam.preprocess, Sam.postprocess_masks.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <stamp/image/resize/pillow.hpp>
#include <stamp/image/smart_resize.hpp>
#include <stamp/nn/convolution.hpp>
#include <vector>

namespace stamp::sam {

/// The size of a picture whose longer side becomes `side`, the other rounded to the nearest pixel
/// but never to none (upstream fails there). ResizeLongestSide.get_preprocess_shape.
[[nodiscard]] inline Extent longest_side(Index width, Index height, Index side) {
  if (width < 1 || height < 1) fail(Fault::input, "zero size: the image has no pixels");
  const double scale = static_cast<double>(side) / static_cast<double>(std::max(width, height));
  const auto rounded = [&](Index length) {
    const double scaled = static_cast<double>(length) * scale;
    // A half and a cut, as upstream does it: NOLINTNEXTLINE(bugprone-incorrect-roundings)
    return std::max<Index>(1, static_cast<Index>(scaled + 0.5));
  };
  return {rounded(width), rounded(height)};
}

/// Where a picture lies in the square: its own size, and that of its resized copy in the upper left
/// corner.
struct Frame {
  Extent original;
  Extent inside;

  Frame() = default;
  Frame(Index width, Index height, Index side)
      : original{width, height}, inside(longest_side(width, height, side)) {}

  /// A position of the picture, in pixels, in the square. Products in double, then float32.
  [[nodiscard]] std::array<float, 2> place(double x, double y) const {
    const auto ratio = [](Index to, Index from) {
      return static_cast<double>(to) / static_cast<double>(from);
    };
    return {static_cast<float>(x * ratio(inside.width, original.width)),
            static_cast<float>(y * ratio(inside.height, original.height))};
  }
};

/// The picture resized (Pillow's bilinear), normalised on its 0 … 255, and padded with zeros:
/// [side, side, 3].
[[nodiscard]] inline std::vector<float> pixel_values(const Image& image, Index side) {
  constexpr std::array<float, 3> mean{123.675F, 116.28F, 103.53F};
  constexpr std::array<float, 3> deviation{58.395F, 57.12F, 57.375F};
  const Extent size = longest_side(image.width, image.height, side);
  const Image small = detail::resize_pillow_bilinear(image, size.width, size.height);
  std::vector<float> values(static_cast<std::size_t>(side * side * 3), 0.0F);
  for (Index y = 0; y < size.height; ++y) {
    for (Index at = 0; at < size.width * 3; ++at) {
      const auto channel = static_cast<std::size_t>(at % 3);
      const auto level =
          static_cast<float>(small.pixels[static_cast<std::size_t>(y * size.width * 3 + at)]);
      values[static_cast<std::size_t>(y * side * 3 + at)] =
          (level - mean[channel]) / deviation[channel];
    }
  }
  return values;
}

/// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) of one map [from.height,
/// from.width], of which only the upper left `cut` of the result is computed.
template <std::floating_point Number>
[[nodiscard]] std::vector<Number> interpolate(std::span<const Number> map, MapSize from, MapSize to,
                                              MapSize cut) {
  struct Neighbours {
    Index first, second;
    Number share;  // of the second
  };
  const auto neighbours = [](Index input, Index output, Index wanted) {
    const Number scale = static_cast<Number>(input) / static_cast<Number>(output);
    std::vector<Neighbours> all;
    for (Index i = 0; i < wanted; ++i) {
      const Number half = static_cast<Number>(0.5);
      const Number at = std::max(scale * (static_cast<Number>(i) + half) - half, Number{0});
      const Index first = std::min(static_cast<Index>(at), input - 1);
      const Number share = std::clamp(at - static_cast<Number>(first), Number{0}, Number{1});
      all.push_back({first, std::min(first + 1, input - 1), share});
    }
    return all;
  };
  const auto columns = neighbours(from.width, to.width, cut.width);
  const auto width = static_cast<std::size_t>(cut.width);
  // Rows of the map stretched to the result's width: two neighbours serve several rows of it.
  std::array<std::vector<Number>, 2> stretched{std::vector<Number>(width),
                                               std::vector<Number>(width)};
  std::array<Index, 2> holds{-1, -1};
  const auto stretch = [&](Index row) -> const Number* {
    const auto place = static_cast<std::size_t>(row % 2);
    Number* const line = stretched[place].data();
    if (holds[place] != row) {
      const Number* const in = map.data() + row * from.width;
      std::size_t at = 0;
      for (const auto [left, right, across] : columns) {
        line[at++] = in[left] * (1 - across) + in[right] * across;
      }
      holds[place] = row;
    }
    return line;
  };
  std::vector<Number> result(static_cast<std::size_t>(cut.height) * width);
  Number* y = result.data();
  for (const auto [top, bottom, down] : neighbours(from.height, to.height, cut.height)) {
    const Number* const upper = stretch(top);
    const Number* const lower = stretch(bottom);
    for (std::size_t at = 0; at < width; ++at) *y++ = upper[at] * (1 - down) + lower[at] * down;
  }
  return result;
}

/// One low-resolution mask at the picture's size: to the padded square of `side` pixels, without
/// its padding, to the picture. [original.height, original.width].
template <std::floating_point Number>
[[nodiscard]] std::vector<Number> full_size(std::span<const Number> logits, Index low_side,
                                            Index side, const Frame& frame) {
  const MapSize inside{frame.inside.height, frame.inside.width};
  const MapSize picture{frame.original.height, frame.original.width};
  auto square = interpolate<Number>(logits, {low_side, low_side}, {side, side}, inside);
  if (inside == picture) return square;
  return interpolate<Number>(square, inside, picture, picture);
}

}  // namespace stamp::sam
