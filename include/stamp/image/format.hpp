// SPDX-License-Identifier: Apache-2.0
// Which format a file is, told from its first bytes, never from its name.
#pragma once

#include <stamp/image/byte_reader.hpp>
#include <string_view>

namespace stamp {

/// The closed list of formats that are read.
enum class ImageFormat { png, jpeg, bmp, pnm };

namespace detail {

[[nodiscard]] bool begins_with(Bytes bytes, std::string_view magic, std::size_t at = 0);

}  // namespace detail

/// Throws Error{input}: "format X not supported, use JPEG or PNG" for a format known by name,
/// "truncated PNG" for a part of a signature, "not a supported image (found magic ..)" for anything
/// else.
[[nodiscard]] ImageFormat image_format(detail::Bytes bytes);

}  // namespace stamp
