// SPDX-License-Identifier: Apache-2.0
// The markers of a JPEG file (ITU-T T.81 annex B): its size, scans, EXIF and end, without decoding.
#pragma once

#include <stamp/image/byte_reader.hpp>
#include <stamp/image/exif.hpp>
#include <stamp/image/format.hpp>

namespace stamp::detail {

struct JpegParts {
  Index width = 0;
  Index height = 0;
  Index scans = 0;
  int orientation = 1;
  bool has_end = false;  ///< an end-of-image marker was found
};

/// Position of the marker that ends the entropy-coded data starting at `from`, or the file's size.
[[nodiscard]] std::size_t jpeg_scan_end(Bytes file, std::size_t from);

/// Refuses Huffman tables (a DHT segment, T.81 B.2.4.2) of more than 256 codes: stb_image 2.27,
/// which Debian 12 ships, writes past its own table for them.
void check_huffman_tables(Bytes segment);

/// Walks the markers up to the end of the first image in the file. Throws Error{input} for a frame
/// that is not 8-bit grey, colour or CMYK, a missing or double frame, or more than `scan_limit`
/// scans ("too many scans": each one costs the whole picture's area).
[[nodiscard]] JpegParts check_jpeg(Bytes file, Index scan_limit);

}  // namespace stamp::detail
