// SPDX-License-Identifier: Apache-2.0
// Which way up a photo is meant to be seen: the EXIF orientation, read and applied.
// Mirrors PIL.ImageOps.exif_transpose (XMP orientation, which Pillow also reads, is ignored here).
#pragma once

#include <stamp/image/byte_reader.hpp>
#include <stamp/image/image.hpp>

namespace stamp {

/// The orientation (1..8) in the TIFF structure `tiff` of an EXIF block; 1 where there is none.
/// Never fails: metadata that cannot be read does not make a picture unreadable. Only the first
/// directory is looked at, so no chain of offsets can make it run long.
[[nodiscard]] int exif_orientation(detail::Bytes tiff);

/// `image` as it is meant to be seen when its EXIF orientation is `orientation`: 2 mirrored,
/// 3 turned by 180 degrees, 4 upside down, 5 transposed, 6 turned clockwise, 7 transposed along the
/// other diagonal, 8 turned counter-clockwise; any other value leaves it as it is. The field
/// Image::orientation keeps what the file said.
[[nodiscard]] Image apply_orientation(Image image, int orientation);

}  // namespace stamp
