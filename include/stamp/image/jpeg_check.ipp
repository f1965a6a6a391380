// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/jpeg_check.hpp>.
#pragma once

#include <cstring>
#include <stamp/image/jpeg_check.hpp>

namespace stamp::detail {

std::size_t jpeg_scan_end(Bytes file, std::size_t from) {
  while (from + 1 < file.size()) {
    const void* found = std::memchr(file.data() + from, 0xFF, file.size() - from);
    if (found == nullptr) return file.size();
    from = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - file.data());
    if (from + 1 == file.size()) break;
    const std::uint8_t code = file[from + 1];
    const bool stuffed = code == 0x00, restart = code >= 0xD0 && code <= 0xD7, fill = code == 0xFF;
    if (!stuffed && !restart && !fill) return from;
    from += fill ? 1 : 2;
  }
  return file.size();
}

void check_huffman_tables(Bytes segment) {
  ByteReader reader(segment, "JPEG Huffman table");
  while (reader.left() > 0) {
    const std::uint32_t kind = reader.u8();
    std::size_t codes = 0;
    for (const std::uint8_t count : reader.take(16)) codes += count;
    if (codes > 256 || kind >> 4 > 1 || (kind & 15) > 3) {
      fail(Fault::input, "damaged JPEG: Huffman table " + std::to_string(kind) + " with " +
                             std::to_string(codes) + " codes");
    }
    (void)reader.take(codes);
  }
}

JpegParts check_jpeg(Bytes file, Index scan_limit) {
  constexpr std::uint32_t end_of_image = 0xD9, start_of_scan = 0xDA, app1 = 0xE1;
  JpegParts parts;
  bool has_frame = false;
  ByteReader reader(file, "JPEG");
  reader.seek(2);
  // A file may end after any scan; whether its pixels are all there, the decoder knows.
  while (reader.left() > 0 || parts.scans == 0) {
    const std::size_t start = reader.position();
    if (reader.u8() != 0xFF) {
      fail(Fault::input, "damaged JPEG: no marker at byte " + std::to_string(start));
    }
    std::uint32_t marker = 0xFF;
    while (marker == 0xFF) marker = reader.u8();
    if (marker == end_of_image) {
      parts.has_end = true;
      break;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // markers without data
    const std::uint32_t length = reader.u16_big();
    if (length < 2)
      fail(Fault::input, "damaged JPEG: segment of " + std::to_string(length) + " bytes");
    const Bytes segment = reader.take(length - 2);

    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (marker == 0xC4) {
      check_huffman_tables(segment);
    } else if (is_frame) {
      ByteReader frame(segment, "JPEG frame");
      const std::uint32_t bits = frame.u8();
      parts.height = frame.u16_big();
      parts.width = frame.u16_big();
      const std::uint32_t components = frame.u8();
      if (has_frame) fail(Fault::input, "damaged JPEG: two frame headers");
      if (bits != 8 || (components != 1 && components != 3 && components != 4)) {
        fail(Fault::input, "JPEG with " + std::to_string(components) + " components of " +
                               std::to_string(bits) + " bits not supported");
      }
      has_frame = true;
    } else if (marker == app1 && begins_with(segment, std::string_view("Exif\0\0", 6))) {
      parts.orientation = exif_orientation(segment.subspan(6));
    } else if (marker == start_of_scan) {
      if (!has_frame) fail(Fault::input, "damaged JPEG: a scan before its frame header");
      if (++parts.scans > scan_limit) {
        fail(Fault::input,
             "too many scans in a progressive JPEG, limit " + std::to_string(scan_limit));
      }
      reader.seek(jpeg_scan_end(file, reader.position()));
    }
  }
  if (!has_frame) fail(Fault::input, "damaged JPEG: it has no frame header");
  if (parts.scans == 0) fail(Fault::input, "damaged JPEG: it has no image data");
  return parts;
}

}  // namespace stamp::detail
