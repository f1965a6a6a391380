// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/jpeg_turbo.hpp>.
#pragma once

#include <cstddef>
#include <stamp/image/jpeg_turbo.hpp>

namespace stamp::detail {

void jpeg_jump_out(j_common_ptr decoder) {
  auto* failure = reinterpret_cast<JpegFailure*>(decoder->err);
  failure->errors.format_message(decoder, failure->message);
  std::longjmp(failure->escape, 1);
}

void jpeg_warn(j_common_ptr decoder, int level) {
  if (level < 0) jpeg_jump_out(decoder);
}

JpegOutcome decode_jpeg_rows(jpeg_decompress_struct& decoder, JpegFailure& failure, Bytes file,
                             const Image& size, std::uint8_t* pixels, std::uint8_t* line) {
  if (setjmp(failure.escape) != 0) return JpegOutcome::failed;
  jpeg_create_decompress(&decoder);
  constexpr long largest_memory = 1L << 30;
  decoder.mem->max_memory_to_use = largest_memory;
  jpeg_mem_src(&decoder, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&decoder, TRUE);
  if (decoder.image_width != static_cast<JDIMENSION>(size.width) ||
      decoder.image_height != static_cast<JDIMENSION>(size.height)) {
    return JpegOutcome::wrong_size;
  }
  const int components = decoder.num_components;
  decoder.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&decoder);

  while (decoder.output_scanline < decoder.output_height) {
    std::uint8_t* row = pixels + static_cast<Index>(decoder.output_scanline) * size.width * 3;
    JSAMPROW target = components == 3 ? row : line;
    jpeg_read_scanlines(&decoder, &target, 1);
    for (Index x = 0; x < size.width && components != 3; ++x) {
      for (Index c = 0; c < 3; ++c) {
        if (components == 1) {
          row[x * 3 + c] = line[x];
        } else {
          // Pillow: CMYK of a JPEG is stored inverted (Adobe's habit), then
          // (255 - k) - c * (255 - k) / 255 with its rounding division.
          const int light = line[x * 4 + 3], ink = 255 - line[x * 4 + c];
          const int product = ink * light + 128;
          row[x * 3 + c] = static_cast<std::uint8_t>(light - ((product >> 8) + product) / 256);
        }
      }
    }
  }
  return JpegOutcome::decoded;
}

Image TurboJpeg::decode(Bytes file, const JpegParts& parts) {
  Image image{.width = parts.width, .height = parts.height, .orientation = parts.orientation};
  image.pixels.resize(static_cast<std::size_t>(parts.width * parts.height * 3));
  std::vector<std::uint8_t> line(static_cast<std::size_t>(parts.width) * 4);

  JpegFailure failure = {};
  jpeg_decompress_struct decoder = {};
  decoder.err = jpeg_std_error(&failure.errors);
  failure.errors.error_exit = jpeg_jump_out;
  failure.errors.emit_message = jpeg_warn;
  const JpegOutcome outcome =
      decode_jpeg_rows(decoder, failure, file, image, image.pixels.data(), line.data());
  const std::string row = std::to_string(decoder.output_scanline);
  jpeg_destroy_decompress(&decoder);

  if (outcome == JpegOutcome::wrong_size) {
    fail(Fault::input, "damaged JPEG: its frame headers disagree about its size");
  }
  // jpeg_mem_src makes up an end where the data end; libjpeg then says "Premature end".
  if (!parts.has_end) {
    fail(Fault::input, "truncated at row " + row + " of " + std::to_string(parts.height) +
                           " (JPEG without its end marker)");
  }
  if (outcome == JpegOutcome::failed) {
    fail(Fault::input, "damaged JPEG at row " + row + ": " + failure.message);
  }
  return image;
}

}  // namespace stamp::detail
