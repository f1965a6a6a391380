// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/read.hpp>, and its instantiations for the decoders there are.
#pragma once

#include <new>
#include <stamp/image/bmp.hpp>
#include <stamp/image/exif.hpp>
#include <stamp/image/file_bytes.hpp>
#include <stamp/image/format.hpp>
#include <stamp/image/jpeg_stb.hpp>
#include <stamp/image/png_read.hpp>
#include <stamp/image/pnm.hpp>
#include <stamp/image/read.hpp>
#include <utility>
#ifdef STAMP_HAS_LIBJPEG
#include <stamp/image/jpeg_turbo.hpp>
#endif

namespace stamp {

template <class Jpeg>
Image read_image(std::span<const std::uint8_t> file, const ReadOptions& options) {
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

template <class Jpeg>
Image read_image(const std::filesystem::path& path, const ReadOptions& options) {
  try {
    const auto bytes = detail::read_file_bytes(path, options.limits.file_bytes);
    return read_image<Jpeg>(std::span<const std::uint8_t>(bytes), options);
  } catch (const Error& error) {
    fail(error.fault(), detail::printable(path) + ": " + error.what());
  }
}

template Image read_image<StbJpeg>(std::span<const std::uint8_t>, const ReadOptions&);
template Image read_image<StbJpeg>(const std::filesystem::path&, const ReadOptions&);
#ifdef STAMP_HAS_LIBJPEG
template Image read_image<TurboJpeg>(std::span<const std::uint8_t>, const ReadOptions&);
template Image read_image<TurboJpeg>(const std::filesystem::path&, const ReadOptions&);
#endif

}  // namespace stamp
