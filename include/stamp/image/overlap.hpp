// SPDX-License-Identifier: Apache-2.0
// How well two masks of one picture agree: over their pixels, and over the bands along their
// outlines (Cheng, Girshick, Dollár, Berg, Kirillov: "Boundary IoU", 2021).
#pragma once

#include <stamp/image/image.hpp>

namespace stamp {

/// Shared pixels over pixels of either mask; 1 where both are empty. Throws Error{usage} for masks
/// of different sizes.
[[nodiscard]] double intersection_over_union(const Bitmap& a, const Bitmap& b);

/// The mask's pixels at most `reach` steps, to eight neighbours each, from a pixel that is not its
/// own. What lies beside the picture is not its own.
[[nodiscard]] Bitmap inner_band(const Bitmap& mask, Index reach);

/// intersection_over_union of the masks' inner bands, which are `share` of the picture's diagonal
/// wide, rounded, and at least a pixel.
[[nodiscard]] double boundary_iou(const Bitmap& a, const Bitmap& b, double share = 0.02);

}  // namespace stamp
