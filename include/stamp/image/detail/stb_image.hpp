// SPDX-License-Identifier: Apache-2.0
// stb_image (Sean Barrett, public domain) with its JPEG decoder and its zlib inflater only.
// GIF, PSD, TGA, HDR and PIC, where nearly all of its known vulnerabilities sit, are not compiled.
//
// The copy is private to this namespace and to the unit that includes it, so that a program may use
// its own stb_image beside it: the macros of both are put aside and given back. Included only by
// the definitions that decode pixels.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <stamp/tensor/check.hpp>
// What stb_image.h includes itself must have been seen before it is included inside a namespace.
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __ARM_NEON
#include <arm_neon.h>
#endif

namespace stamp::detail {

/// No single block that stb_image may ask for is larger: the coefficients of a progressive JPEG at
/// the pixel limit need 2 bytes each in one block a component.
inline constexpr std::size_t stb_largest_block = std::size_t{512} << 20;

/// Zeroed: stb_image reads Huffman and quantisation tables that the file never defined.
inline void* stb_allocate(std::size_t bytes) {
  return bytes <= stb_largest_block ? std::calloc(1, bytes) : nullptr;
}
inline void* stb_reallocate(void* block, std::size_t bytes) {
  return bytes <= stb_largest_block ? std::realloc(block, bytes) : nullptr;
}
/// An assertion that input could reach must not end the process.
inline void stb_assert(bool holds) {
  if (!holds) fail(Fault::input, "damaged image data");
}

}  // namespace stamp::detail

#pragma push_macro("STBI_INCLUDE_STB_IMAGE_H")
#pragma push_macro("STB_IMAGE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_STATIC")
#pragma push_macro("STBIDEF")
#pragma push_macro("STBI_ASSERT")
#pragma push_macro("STBI_MALLOC")
#pragma push_macro("STBI_REALLOC")
#pragma push_macro("STBI_FREE")
#pragma push_macro("STBI_MAX_DIMENSIONS")
#undef STBI_INCLUDE_STB_IMAGE_H
#undef STBIDEF
#undef STBI_ASSERT
#undef STBI_MALLOC
#undef STBI_REALLOC
#undef STBI_FREE
#undef STBI_MAX_DIMENSIONS
#undef STB_IMAGE_STATIC
#undef STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_SUPPORT_ZLIB
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS 16384
#define STBI_ASSERT(x) ::stamp::detail::stb_assert(static_cast<bool>(x))
#define STBI_MALLOC(bytes) ::stamp::detail::stb_allocate(bytes)
#define STBI_REALLOC(block, bytes) ::stamp::detail::stb_reallocate(block, bytes)
#define STBI_FREE(block) std::free(block)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
namespace stamp::detail::stb {
#include <stb_image.h>
}  // namespace stamp::detail::stb
#pragma GCC diagnostic pop
#undef STBI_REALLOC_SIZED
#undef STBI_ONLY_JPEG
#undef STBI_SUPPORT_ZLIB
#undef STBI_NO_STDIO
#undef STBI_NO_LINEAR
#undef STBI_NO_HDR
#undef STBI_NO_PNG
#undef STBI_NO_BMP
#undef STBI_NO_PSD
#undef STBI_NO_TGA
#undef STBI_NO_GIF
#undef STBI_NO_PIC
#undef STBI_NO_PNM
#pragma pop_macro("STBI_MAX_DIMENSIONS")
#pragma pop_macro("STBI_FREE")
#pragma pop_macro("STBI_REALLOC")
#pragma pop_macro("STBI_MALLOC")
#pragma pop_macro("STBI_ASSERT")
#pragma pop_macro("STBIDEF")
#pragma pop_macro("STB_IMAGE_STATIC")
#pragma pop_macro("STB_IMAGE_IMPLEMENTATION")
#pragma pop_macro("STBI_INCLUDE_STB_IMAGE_H")
