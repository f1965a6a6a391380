// SPDX-License-Identifier: Apache-2.0
// The size at which Qwen2-VL looks at a picture (image_processing_qwen2_vl.py, smart_resize).
#pragma once

#include <stamp/tensor/check.hpp>

namespace stamp {

/// Size of a picture in pixels.
struct Extent {
  Index width = 0;
  Index height = 0;
};

/// Both sides rounded to multiples of `factor` (pixels), then shrunk or grown, keeping the aspect
/// ratio, where their product is over `max_pixels` or under `min_pixels`. As in the original there
/// is no second check: long thin pictures may end outside the budget, and with equal budgets the
/// two branches alternate. Pictures of 1 x 1 or 2 x 2 grow to the minimum like any other.
/// Throws Error{input} over an aspect ratio of 200, Error{usage} for values below 1 or a result
/// over 2^26 pixels (a budget that cannot be meant).
[[nodiscard]] Extent smart_resize(Index width, Index height, Index factor, Index min_pixels,
                                  Index max_pixels);

}  // namespace stamp
