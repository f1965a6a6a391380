// SPDX-License-Identifier: Apache-2.0
// Pictures from files: PNG, JPEG, BMP and PNM, with the pixels of Pillow 12's
// Image.open(path).convert("RGB"). Files are untrusted: size limits are asked of the header before
// anything is decoded, and every structure is checked first (docs of the formats' own headers).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stamp/image/image.hpp>
#include <stamp/image/limits.hpp>

namespace stamp {

namespace detail {
struct StbJpeg;
struct TurboJpeg;
}  // namespace detail

using StbJpeg = detail::StbJpeg;      ///< stb_image's decoder, always there
using TurboJpeg = detail::TurboJpeg;  ///< libjpeg-turbo's, with Pillow's pixels
#ifdef STAMP_HAS_LIBJPEG              // all that the macro changes here; the rest is told by type
using BestJpeg = TurboJpeg;
#else
using BestJpeg = StbJpeg;
#endif

/// What to do with a photo's orientation: turn it as people see it, or keep the stored rows as the
/// released Python does.
enum class Exif { apply, ignore };

/// How a picture is read.
struct ReadOptions {
  Exif exif = Exif::apply;
  ImageLimits limits = {};  ///< beyond them Error{input}, before a pixel is decoded
};

/// Decodes a picture in memory. Image::orientation tells what the file carried, applied or not.
/// Throws Error{input} with one sentence that says what is wrong with the bytes, and
/// Error{resource} where memory is missing. `Jpeg` is StbJpeg or TurboJpeg.
template <class Jpeg = BestJpeg>
[[nodiscard]] Image read_image(std::span<const std::uint8_t> file, const ReadOptions& options = {});

/// Reads a picture from a regular file of at most ImageLimits::file_bytes; never waits for a pipe
/// or a device. Errors as above, with the path in front; also "not a regular file", "permission
/// denied".
template <class Jpeg = BestJpeg>
[[nodiscard]] Image read_image(const std::filesystem::path& path, const ReadOptions& options = {});

extern template Image read_image<BestJpeg>(std::span<const std::uint8_t>, const ReadOptions&);
extern template Image read_image<BestJpeg>(const std::filesystem::path&, const ReadOptions&);

}  // namespace stamp
