// SPDX-License-Identifier: Apache-2.0
// Pictures from files: PNG, JPEG, BMP and PNM, with the pixels of Pillow 12's
// Image.open(path).convert("RGB"). Files are untrusted: size limits are asked of the header before
// anything is decoded, and every structure is checked first (docs of the formats' own headers).
#pragma once

#include <filesystem>
#include <new>
#include <stamp/image/bmp.hpp>
#include <stamp/image/exif.hpp>
#include <stamp/image/file_bytes.hpp>
#include <stamp/image/format.hpp>
#include <stamp/image/image.hpp>
#include <stamp/image/jpeg_stb.hpp>
#include <stamp/image/limits.hpp>
#include <stamp/image/png_read.hpp>
#include <stamp/image/pnm.hpp>
#ifdef STAMP_HAS_LIBJPEG
#include <stamp/image/jpeg_turbo.hpp>
#endif

namespace stamp {

using StbJpeg = detail::StbJpeg;
#ifdef STAMP_HAS_LIBJPEG
using TurboJpeg = detail::TurboJpeg;
using BestJpeg =
    TurboJpeg;  // the only line that the macro changes: everything else is told by type
#else
using BestJpeg = StbJpeg;
#endif

/// What to do with a photo's orientation: turn it as people see it, or keep the stored rows as the
/// released Python does.
enum class Exif { apply, ignore };

struct ReadOptions {
  Exif exif = Exif::apply;
  ImageLimits limits = {};
};

/// Decodes a picture in memory. Image::orientation tells what the file carried, applied or not.
/// Throws Error{input} with one sentence that says what is wrong with the bytes, and
/// Error{resource} where memory is missing. `Jpeg` is StbJpeg or TurboJpeg.
template <class Jpeg = BestJpeg>
[[nodiscard]] Image read_image(std::span<const std::uint8_t> file,
                               const ReadOptions& options = {}) {
  const auto checked = [&](const auto& header) -> const auto& {
    check_image_size(header.width, header.height, options.limits);
    return header;
  };
  const auto decode = [&]() -> Image {
    switch (image_format(file)) {
      case ImageFormat::png:
        (void)checked(detail::png_header(file));
        return detail::decode_png(detail::check_png(file));
      case ImageFormat::jpeg:
        return Jpeg::decode(file, checked(detail::check_jpeg(file, options.limits.jpeg_scans)));
      case ImageFormat::bmp:
        return detail::decode_bmp(file, checked(detail::bmp_header(file)));
      case ImageFormat::pnm:
        return detail::decode_pnm(file, checked(detail::pnm_header(file)));
    }
    fail(Fault::failure, "an image format without a decoder");
  };
  try {
    Image image = decode();
    const int orientation = options.exif == Exif::apply ? image.orientation : 1;
    return apply_orientation(std::move(image), orientation);
  } catch (const std::bad_alloc&) {
    fail(Fault::resource, "not enough memory to decode the image");
  }
}

/// Reads a picture from a regular file of at most ImageLimits::file_bytes; never waits for a pipe
/// or a device. Errors as above, with the path in front; also "not a regular file", "permission
/// denied".
template <class Jpeg = BestJpeg>
[[nodiscard]] Image read_image(const std::filesystem::path& path, const ReadOptions& options = {}) {
  try {
    const auto bytes = detail::read_file_bytes(path, options.limits.file_bytes);
    return read_image<Jpeg>(std::span<const std::uint8_t>(bytes), options);
  } catch (const Error& error) {
    fail(error.fault(), detail::printable(path) + ": " + error.what());
  }
}

}  // namespace stamp
