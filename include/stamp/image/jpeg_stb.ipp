// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/jpeg_stb.hpp>.
#pragma once

#include <memory>
#include <stamp/image/detail/stb_image.hpp>
#include <stamp/image/jpeg_stb.hpp>

namespace stamp::detail {

Image StbJpeg::decode(Bytes file, const JpegParts& parts) {
  // stb_image fills what is missing with grey and calls that a success.
  if (!parts.has_end) fail(Fault::input, "truncated JPEG: it has no end marker");

  int width = 0, height = 0, components = 0;
  constexpr int rgb = 3;
  const std::unique_ptr<stb::stbi_uc, void (*)(void*)> pixels(
      stb::stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height,
                                 &components, rgb),
      [](void* block) { std::free(block); });
  if (pixels == nullptr) {
    fail(Fault::input, std::string("damaged JPEG: ") + stb::stbi_failure_reason());
  }
  if (width != parts.width || height != parts.height) {
    fail(Fault::input, "damaged JPEG: its frame headers disagree about its size");
  }
  const std::size_t bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
  return {.width = width,
          .height = height,
          .pixels = {pixels.get(), pixels.get() + bytes},
          .orientation = parts.orientation};
}

}  // namespace stamp::detail
