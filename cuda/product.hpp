// SPDX-License-Identifier: Apache-2.0
// y = x·Wᵀ behind the door: what follows the product before it is rounded, and who computes it.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/weights.hpp>

namespace stamp::cuda {

/// What becomes of x·Wᵀ + bias.
enum class Into { store, add };

/// y (or y +=) x·Wᵀ + bias; y [R, O], x [R, I], w [O, I] dense, bias [O] or null. Where W is kept
/// in Codes it is w·scales, scales [O].
template <class T, class W = T>
struct Product {
  Erased<T> y;
  Erased<const T> x;
  const W* w = nullptr;
  const T* bias = nullptr;
  Into into = Into::store;
  const float* scales = nullptr;
};

/// Up to three products that read one x, done by one kernel; those that are not there are empty.
template <class T, class W = T>
struct JoinedProducts {
  Product<T, W> first, second, third;
};

/// Rows up to which the weights set the pace: each is read once for all rows, and nothing else
/// matters. Decoding has one.
inline constexpr Index skinny_rows = 4;

/// Outputs from which on a library tile fits.
inline constexpr Index tile_outputs = 16;

/// Few rows, or so few outputs that no library tile fits.
[[nodiscard]] constexpr bool is_skinny(Index rows, Index out) {
  return rows <= skinny_rows || out < tile_outputs;
}

/// The product library's part; false where it has no algorithm for such operands.
template <DeviceElement T>
[[nodiscard]] bool library_product(Device& device, const Product<T>& product);

/// The whole product by the best way there is.
template <DeviceElement T>
void multiply(Device& device, const Product<T>& product);

namespace kernel {

/// A warp an output, all rows at once, up to skinny_rows rows a block.
template <DeviceElement T, class W = T>
void skinny_products(Stream stream, const JoinedProducts<T, W>& products);

/// y = silu(x·Gateᵀ)·(x·Upᵀ) for up to skinny_rows rows; gate and up [O, I] dense, Codes with their
/// scales [O].
template <DeviceElement T, class W = T>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const W* gate, const W* up,
                   const float* gate_scales = nullptr, const float* up_scales = nullptr);

/// A thread an output, number by number: for operands that the library does not take.
template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& product);

/// wide = scales·codes, each number rounded to bfloat16 once; wide and codes [O, I] dense.
template <Code C>
void widen_rows(Stream stream, Erased<bfloat16> wide, const C* codes, const float* scales);

}  // namespace kernel

}  // namespace stamp::cuda
