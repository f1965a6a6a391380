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

/// Whether the outputs of `next` lie behind those of `first`, in y and in all that they are made
/// from: both are then one product, of first.y.columns + next.y.columns outputs.
template <class T, class W>
[[nodiscard]] constexpr bool continues(const Product<T, W>& next, const Product<T, W>& first) {
  const auto behind = [&](const auto* place, const auto* before, Index each) {
    return before == nullptr ? place == nullptr : place == before + first.y.columns * each;
  };
  return next.x.data == first.x.data && behind(next.y.data, first.y.data, 1) &&
         next.y.stride == first.y.stride && behind(next.w, first.w, first.x.columns) &&
         behind(next.bias, first.bias, 1) && behind(next.scales, first.scales, 1);
}

/// What x goes through before it is multiplied: rms_norm, or nothing where `weight` is null.
template <class T>
struct InputNorm {
  const T* weight = nullptr;
  float eps = 0;
};

/// Up to three products that read one x, done by one kernel; those that are not there are empty.
template <class T, class W = T>
struct JoinedProducts {
  Product<T, W> first, second, third;
  InputNorm<T> norm{};
};

/// Gate and up of an MLP, which read one x; each [O, I] dense, Codes with their scales [O].
template <class W>
struct GateAndUp {
  const W* gate = nullptr;
  const W* up = nullptr;
  const float* gate_scales = nullptr;
  const float* up_scales = nullptr;
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

inline constexpr int product_threads = 256;
inline constexpr int product_warps = product_threads / 32;

/// Warps that share an output of few rows: two to this power. Where x is long one warp an output
/// would leave few blocks, each a long chain of loads: the down product of the 2B model, 1536
/// outputs of 8960 numbers, has 384 blocks so and not 192, three for nearly each of 132
/// multiprocessors. A matter of the row's length alone: an output has the same bits whatever it is
/// computed beside.
[[nodiscard]] constexpr int shared_by(Index columns) {
  constexpr Index long_row = 4608;
  return columns <= long_row ? 0 : columns <= 2 * long_row ? 1 : 2;
}

/// Floats of shared memory that a block adds its warps' sums in: each of one row of x, or of two.
inline constexpr int product_sums = 2 * product_warps * static_cast<int>(skinny_rows);
inline constexpr std::size_t sum_bytes = product_sums * sizeof(float);

/// Bytes of shared memory for a block of so many rows of x behind their norm: sums of the warps,
/// then the rows.
template <class T>
[[nodiscard]] constexpr std::size_t normal_bytes(Index rows, Index columns) {
  return sum_bytes +
         static_cast<std::size_t>((rows < skinny_rows ? rows : skinny_rows) * columns) * sizeof(T);
}
/// A norm can join products of few rows, each block of which repeats it: as far as the shared
/// memory goes that every device gives without being asked.
template <class T>
[[nodiscard]] constexpr bool joins_norm(Index rows, Index columns) {
  return rows <= skinny_rows && normal_bytes<T>(rows, columns) <= std::size_t{48} << 10U;
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

/// y = silu(x·Gateᵀ)·(x·Upᵀ) for up to skinny_rows rows.
template <DeviceElement T, class W = T>
void skinny_swiglu(Stream stream, Erased<T> y, Erased<const T> x, const GateAndUp<W>& weights,
                   const InputNorm<T>& norm = {});

/// A thread an output, number by number: for operands that the library does not take.
template <DeviceElement T>
void plain_product(Stream stream, const Product<T>& product);

/// wide = scales·codes, each number rounded to bfloat16 once; wide and codes [O, I] dense.
template <Code C>
void widen_rows(Stream stream, Erased<bfloat16> wide, const C* codes, const float* scales);

}  // namespace kernel

}  // namespace stamp::cuda
