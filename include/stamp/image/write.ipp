// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/write.hpp>.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <span>
#include <stamp/image/detail/stb_image_write.hpp>
#include <stamp/image/write.hpp>
#include <string>

namespace stamp {

namespace detail {

/// PNG of [height, width, channels] bytes; the same bytes for the same pixels on every machine.
[[nodiscard]] inline std::vector<std::byte> encode_png_samples(
    std::span<const std::uint8_t> samples, Index width, Index height, Index channels) {
  const Index row = checked_multiply(width, channels, "PNG row");
  const Index size = checked_multiply(row + 1, height, "PNG");  // stb counts in int
  if (width < 1 || height < 1 || size > std::numeric_limits<int>::max() / 2 ||
      std::ssize(samples) != row * height) {
    fail(Fault::usage, "PNG: " + std::to_string(samples.size()) + " samples for " +
                           std::to_string(width) + " x " + std::to_string(height) + " pixels of " +
                           std::to_string(channels));
  }
  int length = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> bytes(
      stb::stbi_write_png_to_mem(samples.data(), static_cast<int>(row), static_cast<int>(width),
                                 static_cast<int>(height), static_cast<int>(channels), &length),
      [](void* block) { free(block); });
  if (bytes == nullptr) fail(Fault::resource, "not enough memory to write a PNG");
  const auto* first = reinterpret_cast<const std::byte*>(bytes.get());
  return {first, first + length};
}

}  // namespace detail

std::vector<std::byte> encode_png(const Image& image) {
  constexpr Index rgb = 3;
  return detail::encode_png_samples(image.pixels, image.width, image.height, rgb);
}

std::vector<std::byte> encode_png(const Bitmap& mask) {
  constexpr Index grey = 1;
  std::vector<std::uint8_t> levels(mask.cells.size());
  std::ranges::transform(mask.cells, levels.begin(), [](std::uint8_t cell) {
    return static_cast<std::uint8_t>(cell != 0 ? 255 : 0);
  });
  return detail::encode_png_samples(levels, mask.width, mask.height, grey);
}

}  // namespace stamp
