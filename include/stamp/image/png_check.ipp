// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/png_check.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/png_check.hpp>

namespace stamp::detail {

int PngHeader::samples() const {
  switch (colour) {
    case PngColour::rgb:
      return 3;
    case PngColour::grey_alpha:
      return 2;
    case PngColour::rgb_alpha:
      return 4;
    default:
      return 1;
  }
}

PngHeader png_header(Bytes file) {
  ByteReader reader(file, "PNG");
  reader.seek(png_signature_bytes);
  const std::uint32_t length = reader.u32_big();
  if (!std::ranges::equal(reader.take(4), std::string_view("IHDR")) || length != 13) {
    fail(Fault::input, "damaged PNG: the first chunk is not a header of 13 bytes");
  }
  PngHeader header;
  header.width = reader.u32_big();
  header.height = reader.u32_big();
  header.depth = static_cast<int>(reader.u8());
  const std::uint32_t colour = reader.u8();
  const std::uint32_t compression = reader.u8();
  const std::uint32_t filter = reader.u8();
  const std::uint32_t interlace = reader.u8();

  const int depth = header.depth;
  const bool deep = depth == 8 || depth == 16;
  const bool shallow = depth == 1 || depth == 2 || depth == 4;
  const bool valid = colour == 0   ? deep || shallow
                     : colour == 3 ? depth == 8 || shallow
                                   : (colour == 2 || colour == 4 || colour == 6) && deep;
  if (!valid || compression != 0 || filter != 0 || interlace > 1) {
    fail(Fault::input, "damaged PNG: header with colour type " + std::to_string(colour) +
                           ", depth " + std::to_string(depth) + ", compression " +
                           std::to_string(compression) + ", filter " + std::to_string(filter) +
                           ", interlace " + std::to_string(interlace));
  }
  header.colour = static_cast<PngColour>(colour);
  header.interlaced = interlace == 1;
  return header;
}

PngChunk next_png_chunk(ByteReader& reader) {
  const std::size_t start = reader.position();
  const std::uint32_t length = reader.u32_big();
  const Bytes type = reader.take(4);
  const std::string_view name(reinterpret_cast<const char*>(type.data()), type.size());
  for (const char letter : name) {
    if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) {
      fail(Fault::input, "damaged PNG: no chunk at byte " + std::to_string(start));
    }
  }
  const Bytes data = reader.take(length);
  const std::uint32_t stored = reader.u32_big();
  const std::uint32_t computed = crc32({type.data(), type.size() + data.size()});
  if (stored != computed) {
    fail(Fault::input, "PNG chunk " + std::string(name) + " at byte " + std::to_string(start) +
                           ": CRC differs, the data are damaged");
  }
  return {name, data};
}

PngParts check_png(Bytes file) {
  PngParts parts{.header = png_header(file)};
  ByteReader reader(file, "PNG");
  reader.seek(png_signature_bytes);
  (void)next_png_chunk(reader);  // IHDR again, now with its checksum

  std::string_view before = "IHDR";
  bool has_palette = false;
  for (;;) {
    const auto [type, data] = next_png_chunk(reader);
    const bool critical = (type[0] & 0x20) == 0;
    if (type == "IDAT") {
      if (!parts.compressed.empty() && before != "IDAT") {
        fail(Fault::input, "damaged PNG: its IDAT chunks are not consecutive");
      }
      parts.compressed.insert(parts.compressed.end(), data.begin(), data.end());
    } else if (type == "PLTE") {
      if (has_palette || !parts.compressed.empty() || data.size() % 3 != 0 ||
          data.size() > 3 * parts.palette.size()) {
        fail(Fault::input, "damaged PNG: PLTE chunk of " + std::to_string(data.size()) + " bytes");
      }
      has_palette = true;
      for (std::size_t i = 0; i < data.size(); ++i) parts.palette[i / 3][i % 3] = data[i];
    } else if (type == "eXIf") {
      parts.orientation = exif_orientation(data);
    } else if (type == "acTL") {
      fail(Fault::input, "format APNG not supported, use JPEG or PNG");
    } else if (type == "IEND") {
      break;
    } else if (critical) {
      fail(Fault::input, "damaged PNG: unknown critical chunk " + std::string(type));
    }
    before = type;
  }
  if (parts.compressed.empty()) fail(Fault::input, "damaged PNG: it has no image data (IDAT)");
  if (parts.header.colour == PngColour::palette && !has_palette) {
    fail(Fault::input, "damaged PNG: palette image without a palette (PLTE)");
  }
  return parts;
}

}  // namespace stamp::detail
