// SPDX-License-Identifier: Apache-2.0
// What a tensor map tells the tensor memory accelerator of keys or values: where they lie and which
// box of them one copy takes.
#pragma once

#include <stamp/cuda/attend/hopper/layout.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

/// [rows, heads, columns] of bfloat16, columns side by side; a box is one head's.
struct TileMap {
  const void* data = nullptr;
  std::uint64_t extents[3]{};  ///< columns, heads, rows
  std::uint64_t strides[2]{};  ///< bytes from head to head and from row to row
  std::uint32_t box[3]{};      ///< columns, 1, rows
  Swizzle swizzle{};
};

[[nodiscard]] inline TileMap tile_map(const ErasedHeads<const bfloat16>& of, Swizzle swizzle,
                                      int rows) {
  const auto number = [](Index value) { return static_cast<std::uint64_t>(value); };
  return {of.data,
          {number(of.dim), number(of.heads), number(of.rows)},
          {number(of.dim) * sizeof(bfloat16), number(of.stride) * sizeof(bfloat16)},
          {static_cast<std::uint32_t>(box_columns(swizzle)), 1, static_cast<std::uint32_t>(rows)},
          swizzle};
}

}  // namespace stamp::cuda
