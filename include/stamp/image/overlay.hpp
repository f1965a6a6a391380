// SPDX-License-Identifier: Apache-2.0
// The picture with every mask tinted, outlined and numbered: what a person looks at first.
#pragma once

#include <span>
#include <stamp/image/distance.hpp>
#include <stamp/image/draw.hpp>

namespace stamp {

/// How an overlay is drawn.
struct OverlayOptions {
  float tint = 0.42F;      ///< share of the mask's colour in its pixels
  float line = 0;          ///< width of the outline in pixels; 0: by the picture's size
  Index first_number = 0;  ///< on the first mask's badge: mask-0.png has badge 0
};

/// Colours that stay apart for colour-blind eyes and on photos (Okabe and Ito 2008, black left out,
/// sky blue and vermillion first; then the bright scheme of Paul Tol). Mask k has colour k mod 12.
[[nodiscard]] Colour mask_colour(Index mask);

namespace detail {

struct Box {
  Index left, top, width, height;
};

}  // namespace detail

/// `image` with `masks` (each of the image's size) on it: a tint, a coloured outline between a
/// white and a dark one, so that it shows on any ground, and a badge with the mask's number inside
/// it, or beside it where it is small. Empty masks leave no trace but keep their number. Throws
/// Error{usage}: "mask WxH, image WxH".
[[nodiscard]] Image overlay(Image image, std::span<const Bitmap> masks,
                            const OverlayOptions& options = {});

}  // namespace stamp
