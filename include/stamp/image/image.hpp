// SPDX-License-Identifier: Apache-2.0
// An 8-bit RGB image in memory, and the mask that belongs to one.
#pragma once

#include <cstdint>
#include <stamp/tensor/check.hpp>
#include <vector>

namespace stamp {

/// Rows top to bottom, columns left to right, red green blue interleaved: [height, width, 3].
struct Image {
  Index width = 0;
  Index height = 0;
  std::vector<std::uint8_t> pixels = {};  ///< height · width · 3 bytes
  int orientation = 1;                    ///< EXIF orientation (1..8) that the file carried
};

/// A mask of an image's size: [height, width], 0 background, 1 foreground.
struct Bitmap {
  Index width = 0;
  Index height = 0;
  std::vector<std::uint8_t> cells = {};
};

}  // namespace stamp
