// SPDX-License-Identifier: Apache-2.0
// Pictures and masks as PNG bytes. Writing them to a file, whole or not at all, is another header's
// work (checkpoint/atomic_file.hpp).
#pragma once

#include <cstddef>
#include <stamp/image/image.hpp>

namespace stamp {

/// 8-bit RGB PNG. Throws Error{usage} where the pixels do not fill the size, Error{resource} where
/// memory is missing.
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);

/// 8-bit grey PNG, 0 background and 255 foreground. Errors as above.
[[nodiscard]] std::vector<std::byte> encode_png(const Bitmap& mask);

}  // namespace stamp
