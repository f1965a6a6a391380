// SPDX-License-Identifier: Apache-2.0
// How tiles lie in shared memory for Hopper's matrix instructions: boxes of columns, their rows
// swizzled, and the descriptors that name them. Source: NVIDIA's PTX manual, "Asynchronous
// warpgroup level matrix shared memory layout" and "Tensor copies: swizzling modes".
#pragma once

#include <cstdint>

namespace stamp::cuda {

/// A box holds as many columns as the swizzle is wide; a row of it follows the one before. The
/// pieces of 16 bytes within a row change places, so that a column of pieces meets all banks.
enum class Swizzle : std::uint32_t {
  bytes_128 = 1,  ///< boxes of 64 numbers of bfloat16; the pattern repeats after 8 rows
  bytes_32 = 3    ///< boxes of 16 numbers of bfloat16; the pattern repeats after 8 rows
};

/// Columns of bfloat16 in a box.
[[nodiscard]] constexpr int box_columns(Swizzle swizzle) {
  return swizzle == Swizzle::bytes_128 ? 64 : 16;
}
[[nodiscard]] constexpr std::uint32_t row_bytes(Swizzle swizzle) {
  return static_cast<std::uint32_t>(box_columns(swizzle)) * 2;
}

/// Where the byte at `offset` of an unswizzled box lies. Boxes begin at multiples of 1024 bytes.
///   128 bytes: address bits 4–6 ^= bits 7–9; 32 bytes: bit 4 ^= bit 7
[[nodiscard]] constexpr std::uint32_t swizzled(Swizzle swizzle, std::uint32_t offset) {
  return offset ^ ((offset >> 3U) & (swizzle == Swizzle::bytes_128 ? 0x70U : 0x10U));
}

/// A head's columns as boxes: as many of 64 as fit, then, of a head of 80, one of 16. Both are
/// layouts that the manual draws; one product over 80 columns of two boxes of 64 is not among them.
[[nodiscard]] constexpr int wide_boxes(int dim) { return dim / 64; }
[[nodiscard]] constexpr bool has_narrow_box(int dim) { return dim % 64 == 16; }

/// Where column `column` (a multiple of 8) of row `row` lies in a tile of `rows` rows, in bytes:
/// box after box, the narrow one last.
[[nodiscard]] constexpr std::uint32_t place_in_tile(int dim, int rows, int row, int column) {
  const int box = column / 64;
  const Swizzle swizzle = box < wide_boxes(dim) ? Swizzle::bytes_128 : Swizzle::bytes_32;
  const auto inside = static_cast<std::uint32_t>(row) * row_bytes(swizzle) +
                      static_cast<std::uint32_t>(column % 64) * 2;
  return static_cast<std::uint32_t>(box * rows) * row_bytes(Swizzle::bytes_128) +
         swizzled(swizzle, inside);
}

/// A matrix in shared memory as the matrix instructions are told of it: bits 0–13 the address,
/// 16–29 the leading offset, 32–45 the stride offset, all in units of 16 bytes, 62–63 the swizzle.
/// The stride offset leads from 8 rows to the next 8. The leading one is read where the numbers of
/// a row belong to different columns of the product (values) and leads from box to box.
[[nodiscard]] constexpr std::uint64_t matrix_descriptor(Swizzle swizzle, std::uint32_t address,
                                                        std::uint32_t box_bytes) {
  const auto units = [](std::uint32_t bytes) {
    return static_cast<std::uint64_t>((bytes & 0x3ffffU) >> 4U);
  };
  return units(address) | units(box_bytes) << 16U | units(8 * row_bytes(swizzle)) << 32U |
         static_cast<std::uint64_t>(swizzle) << 62U;
}
/// The same matrix so many bytes further on, a multiple of 16. An address of shared memory fills
/// its field at most, so nothing is carried out of it.
[[nodiscard]] constexpr std::uint64_t moved(std::uint64_t descriptor, std::uint32_t bytes) {
  return descriptor + (bytes >> 4U);
}

}  // namespace stamp::cuda
