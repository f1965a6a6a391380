// SPDX-License-Identifier: Apache-2.0
// COCO's compressed run-length masks, as pycocotools writes and reads them (maskApi.c): lengths of
// runs of 0, 1, 0, ... down the columns; from the third on as differences; 5 bits a character.
#pragma once

#include <array>
#include <stamp/image/image.hpp>
#include <string>

namespace stamp {

/// "segmentation" of a COCO annotation: {"size": [height, width], "counts": counts}.
struct RunLength {
  Index height = 0;
  Index width = 0;
  std::string counts = {};
};

/// Equals pycocotools.mask.encode.
[[nodiscard]] RunLength encode_run_length(const Bitmap& mask);

/// Equals pycocotools.mask.decode. Throws Error{input}: "RLE sums to X, need Y", a negative run, or
/// a character that is none of the 64.
[[nodiscard]] Bitmap decode_run_length(const RunLength& runs);

/// Foreground pixels; equals pycocotools.mask.area.
[[nodiscard]] Index area(const Bitmap& mask);

/// [x, y, width, height] in pixels of the smallest box around the mask, all 0 where it is empty;
/// equals pycocotools.mask.toBbox.
[[nodiscard]] std::array<Index, 4> bounding_box(const Bitmap& mask);

}  // namespace stamp
