// SPDX-License-Identifier: Apache-2.0
// How large a picture may be; asked of its header before any of its pixels is decoded.
#pragma once

#include <stamp/tensor/check.hpp>

namespace stamp {

/// What an image file may claim. Peak memory while decoding is at most 12 bytes a pixel.
struct ImageLimits {
  Index pixels = 64'000'000;
  Index side = 16'384;       ///< pixels along the longer side
  Index aspect_ratio = 200;  ///< longer to shorter side, as Qwen2-VL's own processor
  Index file_bytes = 100'000'000;
  Index jpeg_scans = 100;  ///< a progressive JPEG costs its whole area once a scan
};

/// Throws Error{input} where a picture of width x height pixels is empty or over a limit.
void check_image_size(Index width, Index height, const ImageLimits& limits);

}  // namespace stamp
