// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/format.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/format.hpp>
#include <string>

namespace stamp {

namespace detail {

bool begins_with(Bytes bytes, std::string_view magic, std::size_t at) {
  if (bytes.size() < at + magic.size()) return false;
  return std::equal(magic.begin(), magic.end(), bytes.begin() + static_cast<Index>(at),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

/// The first bytes as an error shows them: "48 65 6c 6c 'Hell'".
[[nodiscard]] inline std::string shown_magic(Bytes bytes) {
  if (bytes.empty()) return "none, the file is empty";
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hexadecimal, text;
  for (const std::uint8_t byte : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
    hexadecimal += {digits[byte >> 4], digits[byte & 15], ' '};
    text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
  }
  return hexadecimal + "'" + text + "'";
}

/// The name of a picture format that is known but not read; empty for anything else.
[[nodiscard]] inline std::string_view unsupported_format(Bytes bytes) {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "GIF8")) return "GIF";
  if (begins_with(bytes, "RIFF") && begins_with(bytes, "WEBP", 8)) return "WebP";
  if (begins_with(bytes, "II*\0"sv) || begins_with(bytes, "MM\0*"sv)) return "TIFF";
  if (begins_with(bytes, "8BPS")) return "PSD";
  if (begins_with(bytes, "ftypavif", 4) || begins_with(bytes, "ftypavis", 4)) return "AVIF";
  for (const auto brand : {"ftypheic", "ftypheix", "ftyphevc", "ftypmif1", "ftypmsf1"}) {
    if (begins_with(bytes, brand, 4)) return "HEIC";
  }
  if (begins_with(bytes, "\0\0\0\x0CjP  "sv)) return "JPEG 2000";
  if (begins_with(bytes, "\0\0\0\x0CJXL "sv) || begins_with(bytes, "\xFF\x0A")) return "JPEG XL";
  if (begins_with(bytes, "%PDF")) return "PDF";

  const auto start = std::string_view(reinterpret_cast<const char*>(bytes.data()),
                                      std::min<std::size_t>(bytes.size(), 1024));
  if (start.find("<svg") != std::string_view::npos) return "SVG";
  return {};
}

}  // namespace detail

ImageFormat image_format(detail::Bytes bytes) {
  using detail::begins_with;
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return ImageFormat::png;
  if (begins_with(bytes, "\xFF\xD8\xFF")) return ImageFormat::jpeg;
  if (begins_with(bytes, "BM")) return ImageFormat::bmp;
  constexpr std::string_view whitespace = " \t\n\v\f\r";
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
      whitespace.find(static_cast<char>(bytes[2])) != std::string_view::npos) {
    return ImageFormat::pnm;
  }
  for (const std::string_view signature : {"\x89PNG\r\n\x1a\n", "\xFF\xD8\xFF"}) {
    const bool starts = bytes.size() > 1 && bytes.size() < signature.size() &&
                        begins_with(bytes, signature.substr(0, bytes.size()));
    if (!starts) continue;
    fail(Fault::input, std::string("truncated ") + (signature[1] == 'P' ? "PNG" : "JPEG") +
                           ": expected its signature of " + std::to_string(signature.size()) +
                           " bytes, found " + std::to_string(bytes.size()));
  }
  if (const std::string_view name = detail::unsupported_format(bytes); !name.empty()) {
    fail(Fault::input, "format " + std::string(name) + " not supported, use JPEG or PNG");
  }
  fail(Fault::input, "not a supported image (found magic " + detail::shown_magic(bytes) +
                         "), use JPEG, PNG, BMP or PNM");
}

}  // namespace stamp
