// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/pnm.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/pnm.hpp>

namespace stamp::detail {

bool is_pnm_space(std::uint32_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

Index next_pnm_number(ByteReader& reader) {
  Index number = 0;
  int digits = 0;
  while (digits == 0 || reader.left() > 0) {
    const std::uint32_t byte = reader.u8();
    if (byte == '#') {
      for (std::uint32_t skipped = byte; skipped != '\n' && skipped != '\r';) skipped = reader.u8();
      if (digits > 0) break;
    } else if (is_pnm_space(byte)) {
      if (digits > 0) break;
    } else if (byte < '0' || byte > '9' || ++digits > 10) {
      fail(Fault::input, "damaged PNM: no number at byte " + std::to_string(reader.position() - 1));
    } else {
      number = number * 10 + static_cast<Index>(byte - '0');
    }
  }
  return number;
}

PnmHeader pnm_header(Bytes file) {
  ByteReader reader(file, "PNM header");
  reader.seek(1);
  PnmHeader header{.kind = static_cast<int>(reader.u8() - '0')};
  header.width = next_pnm_number(reader);
  header.height = next_pnm_number(reader);
  if (!header.is_bits()) header.largest = next_pnm_number(reader);
  if (header.largest < 1 || header.largest > 65535) {
    fail(Fault::input,
         "damaged PNM: largest value " + std::to_string(header.largest) + " is not in 1..65535");
  }
  header.pixels_at = reader.position();
  return header;
}

std::uint8_t pnm_level(Index value, const PnmHeader& header) {
  const bool clipped = header.samples() == 1 && header.largest > 255;
  const double white = clipped ? 65535.0 : 255.0;
  const double level =
      std::nearbyint(static_cast<double>(value) / static_cast<double>(header.largest) * white);
  return static_cast<std::uint8_t>(std::min(level, 255.0));
}

Image decode_pnm(Bytes file, const PnmHeader& header) {
  ByteReader reader(file, "PNM");
  reader.seek(header.pixels_at);
  Image image{.width = header.width, .height = header.height};
  const Index samples = header.samples();
  const Index row_bytes = header.is_bits()
                              ? (header.width + 7) / 8
                              : header.width * samples * (header.largest > 255 ? 2 : 1);
  const auto data = static_cast<Index>(reader.left());
  if (!header.is_text() && data / row_bytes < header.height) {
    fail(Fault::input, "truncated at row " + std::to_string(data / row_bytes) + " of " +
                           std::to_string(header.height) + " (PNM)");
  }
  // A sample of text needs a byte at least: what is claimed is compared before it is allocated.
  if (header.is_text() && data < header.width * header.height * samples) {
    fail(Fault::input, "truncated PNM: " + std::to_string(data) + " bytes of text for " +
                           std::to_string(header.width * header.height * samples) + " values");
  }
  image.pixels.resize(static_cast<std::size_t>(header.width * header.height * 3));

  const auto text_bit = [&]() -> Index {  // bits of P1 may stand without space between them
    for (;;) {
      const std::uint32_t byte = reader.u8();
      if (byte == '0' || byte == '1') return byte == '1' ? 1 : 0;
      for (std::uint32_t skipped = byte; byte == '#' && skipped != '\n' && skipped != '\r';) {
        skipped = reader.u8();
      }
      if (byte != '#' && !is_pnm_space(byte)) fail(Fault::input, "damaged PNM: neither 0 nor 1");
    }
  };
  std::uint8_t* pixel = image.pixels.data();
  for (Index y = 0; y < header.height; ++y) {
    const Bytes row = header.is_text() ? Bytes{} : reader.take(static_cast<std::size_t>(row_bytes));
    for (Index x = 0; x < header.width; ++x, pixel += 3) {
      for (Index s = 0; s < samples; ++s) {
        const auto at = static_cast<std::size_t>(x * samples + s);
        if (header.is_bits()) {
          const Index bit = header.is_text() ? text_bit() : row[at / 8] >> (7 - at % 8) & 1;
          pixel[s] = bit != 0 ? 0 : 255;
          continue;
        }
        const Index value = header.is_text()       ? next_pnm_number(reader)
                            : header.largest > 255 ? row[2 * at] << 8 | row[2 * at + 1]
                                                   : row[at];
        if (header.is_text() && value > header.largest) {
          fail(Fault::input, "damaged PNM: value " + std::to_string(value) + " over its largest " +
                                 std::to_string(header.largest) + " in row " + std::to_string(y));
        }
        pixel[s] = pnm_level(value, header);
      }
      if (samples == 1) pixel[1] = pixel[2] = pixel[0];
    }
  }
  return image;
}

}  // namespace stamp::detail
