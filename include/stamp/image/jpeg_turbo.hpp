// SPDX-License-Identifier: Apache-2.0
// JPEG to RGB by libjpeg-turbo with Pillow's settings (accurate integer DCT, smooth upsampling),
// hence with Pillow's pixels. Needs libjpeg: CMake defines STAMP_HAS_LIBJPEG where it is found.
#pragma once

#include <csetjmp>
#include <cstdio>  // jpeglib.h forgets it

#include <jpeglib.h>

#include <stamp/image/jpeg_check.hpp>

namespace stamp::detail {

/// libjpeg's error state. C code must not be unwound by a C++ exception, so an error jumps out of
/// libjpeg to decode_jpeg_rows, whose frame holds nothing that has a destructor.
struct JpegFailure {
  jpeg_error_mgr errors;  ///< first member: libjpeg hands back a pointer to it
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void jpeg_jump_out(j_common_ptr decoder);

/// Level -1 is a warning: data are damaged and libjpeg would guess. Its vendor's advice for
/// untrusted files is to take it as an error.
void jpeg_warn(j_common_ptr decoder, int level);

enum class JpegOutcome { decoded, failed, wrong_size };

/// The part that libjpeg may jump out of: plain pointers only. `row` is where it got to.
[[nodiscard]] JpegOutcome decode_jpeg_rows(jpeg_decompress_struct& decoder, JpegFailure& failure,
                                           Bytes file, const Image& size, std::uint8_t* pixels,
                                           std::uint8_t* line);

/// The decoder that equals Pillow.
struct TurboJpeg {
  /// Throws Error{input}: "truncated at row R", or libjpeg's own sentence.
  [[nodiscard]] static Image decode(Bytes file, const JpegParts& parts);
};

}  // namespace stamp::detail
