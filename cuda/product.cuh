// SPDX-License-Identifier: Apache-2.0
// Products without tensor cores: the one that streams weights for a few rows, and the plain one.
// Weights are in the element type, or Codes with a scale a row.
#pragma once

#include <stamp/cuda/activation.cuh>
#include <stamp/cuda/block.cuh>
#include <stamp/cuda/dot.cuh>
#include <stamp/cuda/norm.cuh>
#include <stamp/cuda/pointwise.cuh>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

inline constexpr int product_threads = 256;
inline constexpr int product_warps = product_threads / warp_size;

struct SkinnyRegisters {
  float sum[product_rows];
};
struct SwigluRegisters {
  float sum[2 * product_rows];
};

static_assert(product_threads == norm_threads, "a norm's sum is the same joined or alone");

/// Rows [first, first + rows) of x behind their norm, in shared memory: what a block of products
/// reads in place of x. Every block of an output repeats this; it costs no launch of its own.
template <class Registers, Element T, class Block>
[[nodiscard]] __host__ __device__ Erased<const T> normal_rows(Block& block, float* memory,
                                                              Erased<const T> x, Index first,
                                                              int rows, const InputNorm<T>& norm) {
  T* const normal = reinterpret_cast<T*>(memory + norm_shared);
  for (int row = 0; row < rows; ++row) {
    rms_norm_row<Registers>(block, memory, normal + row * x.columns,
                            x.data + (first + row) * x.stride, x.columns, norm.weight, norm.eps,
                            [](Registers& r) -> float& { return r.sum[0]; });
  }
  return {normal, rows, x.columns, x.columns};
}

/// Blocks of product_warps outputs.
[[nodiscard]] constexpr Index output_groups(Index outputs) {
  return (outputs + product_warps - 1) / product_warps;
}
template <class T, class W>
[[nodiscard]] constexpr Index output_groups(const JoinedProducts<T, W>& products) {
  return output_groups(products.first.y.columns) + output_groups(products.second.y.columns) +
         output_groups(products.third.y.columns);
}

/// Every operand can be read 16 bytes at once.
template <class T, class W>
[[nodiscard]] bool aligned_operands(const JoinedProducts<T, W>& products) {
  const auto aligned = [](const Product<T, W>& p) {
    return p.w == nullptr || (aligned_rows(p.x.data, p.x.stride) && aligned_rows(p.w, p.x.columns));
  };
  return aligned(products.first) && aligned(products.second) && aligned(products.third);
}

template <class T, class W>
[[nodiscard]] bool aligned_operands(Erased<const T> x, const GateAndUp<W>& weights) {
  return aligned_rows(x.data, x.stride) && aligned_rows(weights.gate, x.columns) &&
         aligned_rows(weights.up, x.columns);
}

/// Block (group of product_warps outputs, product after product) + groups · (group of skinny_rows
/// rows).
///   for row, o: y[row][o] = (y[row][o] +) Σ_k x[row][k]·w[o][k] + bias[o]
/// where `normed` with rms_norm(x) for x; `memory` is then normal_bytes of shared memory.
template <bool normed, Element T, class W, class Block>
__host__ __device__ void skinny_products_body(Block& block, const JoinedProducts<T, W>& products,
                                              bool aligned, float* memory) {
  const Index groups = output_groups(products);
  Index group = block.x() % groups;
  Product<T, W> p = products.first;
  // One by one, for an index into the arguments would move them to memory.
  if (group >= output_groups(p.y.columns)) {
    group -= output_groups(p.y.columns);
    p = products.second;
    if (group >= output_groups(p.y.columns)) {
      group -= output_groups(p.y.columns);
      p = products.third;
    }
  }
  const Index first = block.x() / groups * skinny_rows;
  const int rows =
      static_cast<int>(p.y.rows - first < skinny_rows ? p.y.rows - first : skinny_rows);
  const Index outputs = group * product_warps;
  Erased<const T> x = p.x;
  Index from = first;
  if constexpr (normed) {
    x = normal_rows<SkinnyRegisters>(block, memory, p.x, first, rows, products.norm);
    from = 0;
  }
  block.each([&](int thread, SkinnyRegisters& r) {
#pragma unroll
    for (int row = 0; row < product_rows; ++row) r.sum[row] = 0;
    const Index o = outputs + thread / warp_size;
    if (o >= p.y.columns) return;
    dot_rows<T>(p.w + o * p.x.columns, x, from, rows, thread % warp_size, aligned, r.sum);
  });
  block.template warp_sum<product_rows>(
      [](SkinnyRegisters& r, int at) -> float& { return r.sum[at]; });
  block.each([&](int thread, SkinnyRegisters& r) {
    const Index o = outputs + thread / warp_size;
    if (o >= p.y.columns) return;
#pragma unroll
    for (int row = 0; row < product_rows; ++row) {
      if (row >= rows || thread % warp_size != row) continue;
      T* const to = p.y.data + (first + row) * p.y.stride + o;
      float value = scaled<W>(r.sum[row], p.scales, o);
      if (p.bias != nullptr) value += widen(p.bias[o]);
      if (p.into == Into::add) value += widen(*to);
      *to = narrow<T>(value);
    }
  });
}

/// Block (group of product_warps outputs) + groups · (group of skinny_rows rows).
///   for row, o: y[row][o] = swiglu(narrow(Σ_k x[row][k]·gate[o][k]), narrow(Σ_k
///   x[row][k]·up[o][k]))
/// where `normed` with rms_norm(x) for x, as above.
template <bool normed, Element T, class W, class Block>
__host__ __device__ void skinny_swiglu_body(Block& block, Erased<T> y, Erased<const T> all,
                                            const GateAndUp<W>& weights, const InputNorm<T>& norm,
                                            bool aligned, float* memory) {
  const Index groups = output_groups(y.columns);
  const Index first = block.x() / groups * skinny_rows;
  const int rows = static_cast<int>(y.rows - first < skinny_rows ? y.rows - first : skinny_rows);
  const Index outputs = block.x() % groups * product_warps;
  Erased<const T> x = all;
  Index from = first;
  if constexpr (normed) {
    x = normal_rows<SwigluRegisters>(block, memory, all, first, rows, norm);
    from = 0;
  }
  block.each([&](int thread, SwigluRegisters& r) {
#pragma unroll
    for (int at = 0; at < 2 * product_rows; ++at) r.sum[at] = 0;
    const Index o = outputs + thread / warp_size;
    if (o >= y.columns) return;
    const Index row = o * x.columns;
    dot_rows<T>(weights.gate + row, x, from, rows, thread % warp_size, aligned, r.sum);
    dot_rows<T>(weights.up + row, x, from, rows, thread % warp_size, aligned, r.sum + product_rows);
  });
  block.template warp_sum<2 * product_rows>(
      [](SwigluRegisters& r, int at) -> float& { return r.sum[at]; });
  block.each([&](int thread, SwigluRegisters& r) {
    const Index o = outputs + thread / warp_size;
    if (o >= y.columns) return;
#pragma unroll
    for (int row = 0; row < product_rows; ++row) {
      if (row >= rows || thread % warp_size != row) continue;
      y.data[(first + row) * y.stride + o] =
          Swiglu{}(narrow<T>(scaled<W>(r.sum[row], weights.gate_scales, o)),
                   narrow<T>(scaled<W>(r.sum[product_rows + row], weights.up_scales, o)));
    }
  });
}

/// Block (stretch of 16·product_threads numbers). `aligned` as in dot_rows.
///   for o, k: wide[o][k] = narrow(scales[o]·codes[o][k])
template <Element T, Code C, class Block>
__host__ __device__ void widen_rows_body(Block& block, Erased<T> wide, const C* codes,
                                         const float* scales, bool aligned) {
  const Index numbers = wide.rows * wide.columns;
  block.each([&](int thread, NoRegisters&) {
    const Index first = (block.x() * product_threads + thread) * sixteen;
    if (!aligned) {
      for (Index at = first; at < first + sixteen && at < numbers; ++at) {
        wide.data[at] = narrow<T>(static_cast<float>(codes[at]) * scales[at / wide.columns]);
      }
      return;
    }
    if (first >= numbers) return;
    const float scale = scales[first / wide.columns];
    float values[16];
    widen_sixteen<C>(load_words(codes + first), values);
#pragma unroll
    for (int half = 0; half < 16; half += 8) {
      Eight<T> part;
#pragma unroll
      for (int i = 0; i < 8; ++i) part.at[i] = narrow<T>(values[half + i] * scale);
      *reinterpret_cast<Eight<T>*>(wide.data + first + half) = part;
    }
  });
}

/// Block (row · chunks + chunk of product_threads outputs).
///   for row, o: as in skinny_products_body
template <Element T, class Block>
__host__ __device__ void plain_product_body(Block& block, const Product<T>& p) {
  const Index chunks = (p.y.columns + product_threads - 1) / product_threads;
  const Index row = block.x() / chunks;
  const Index first = block.x() % chunks * product_threads;
  block.each([&](int thread, NoRegisters&) {
    const Index o = first + thread;
    if (o >= p.y.columns) return;
    const T* const from = p.x.data + row * p.x.stride;
    const T* const weights = p.w + o * p.x.columns;
    float sum = 0;
    for (Index k = 0; k < p.x.columns; ++k) sum += widen(from[k]) * widen(weights[k]);
    T* const to = p.y.data + row * p.y.stride + o;
    if (p.bias != nullptr) sum += widen(p.bias[o]);
    if (p.into == Into::add) sum += widen(*to);
    *to = narrow<T>(sum);
  });
}

}  // namespace stamp::cuda
