// SPDX-License-Identifier: Apache-2.0
// JPEG to RGB by stb_image, for programs without libjpeg-turbo. Its pixels differ from Pillow's in
// 1 to 2.5 % of the bytes by up to 3 levels; CMYK differs more.
#pragma once

#include <stamp/image/detail/stb_image.hpp>
#include <stamp/image/jpeg_check.hpp>

namespace stamp::detail {

struct StbJpeg {
  /// Throws Error{input} for data that stb_image refuses or that end early.
  [[nodiscard]] static Image decode(Bytes file, const JpegParts& parts);
};

}  // namespace stamp::detail
