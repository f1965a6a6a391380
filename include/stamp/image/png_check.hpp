// SPDX-License-Identifier: Apache-2.0
// The structure of a PNG file (ISO/IEC 15948): chunks, their order, lengths and checksums.
// Nothing is inflated here; what comes out has been checked and is safe to decode.
#pragma once

#include <array>
#include <stamp/image/byte_reader.hpp>
#include <stamp/image/crc32.hpp>
#include <stamp/image/exif.hpp>
#include <vector>

namespace stamp::detail {

enum class PngColour { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

struct PngHeader {
  Index width = 0;
  Index height = 0;
  int depth = 0;  ///< bits a sample: 1, 2, 4, 8 or 16
  PngColour colour = PngColour::grey;
  bool interlaced = false;  ///< Adam7

  [[nodiscard]] int samples() const;
};

struct PngParts {
  PngHeader header;
  std::array<std::array<std::uint8_t, 3>, 256> palette{};  ///< missing colours are black (Pillow)
  std::vector<std::uint8_t> compressed = {};               ///< all IDAT data in order
  int orientation = 1;                                     ///< from eXIf
};

inline constexpr std::size_t png_signature_bytes = 8;

/// The IHDR chunk's fields. Throws Error{input} for a combination that PNG does not have.
[[nodiscard]] PngHeader png_header(Bytes file);

struct PngChunk {
  std::string_view type;
  Bytes data;
};

/// The next chunk, its checksum compared (stb_image and many others never look at it).
[[nodiscard]] PngChunk next_png_chunk(ByteReader& reader);

/// Walks the file from its header to IEND. Throws Error{input} naming the chunk that is wrong, and
/// "format APNG not supported" for an animation.
[[nodiscard]] PngParts check_png(Bytes file);

}  // namespace stamp::detail
