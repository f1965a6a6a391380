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

template <Element T>
struct SkinnyRegisters {
  float sum[product_rows];
  // Read ahead of the weights, so that nothing is waited for behind them.
  float scale;
  T bias, before;
  NormRegisters<T> norm;
};
template <Element T>
struct SwigluRegisters {
  float sum[2 * product_rows];
  NormRegisters<T> norm;
};

static_assert(product_threads == norm_threads, "a norm's sum is the same joined or alone");
static_assert(product_warps == product_threads / warp_size && norm_shared <= product_sums);

/// Rows [first, first + rows) of x behind their norm, in shared memory: what a block of products
/// reads in place of x. Every block of an output repeats this; it costs no launch of its own.
template <class Registers, Element T, class Block>
[[nodiscard]] __host__ __device__ Erased<const T> normal_rows(Block& block, float* memory,
                                                              Erased<const T> x, Index first,
                                                              int rows, const InputNorm<T>& norm,
                                                              bool aligned) {
  T* const normal = reinterpret_cast<T*>(memory + product_sums);
  for (int row = 0; row < rows; ++row) {
    rms_norm_row<Registers>(block, memory, normal + row * x.columns,
                            x.data + (first + row) * x.stride, x.columns, norm.weight, norm.eps,
                            aligned, [](Registers& r) -> NormRegisters<T>& { return r.norm; });
  }
  return {normal, rows, x.columns, x.columns};
}

/// Blocks of product_warps warps, so many of them an output.
[[nodiscard]] constexpr Index output_groups(Index outputs, Index columns) {
  return ((outputs << shared_by(columns)) + product_warps - 1) / product_warps;
}

/// How a launch divides its outputs among blocks, worked out once and on the host: for one row a
/// warp has so little to do for an output that it would spend as much on finding it.
struct SkinnyPlan {
  unsigned first;   ///< groups of product_warps warps that are the first product's,
  unsigned second;  ///< the first two products',
  unsigned all;     ///< and all
  unsigned turns;   ///< groups that a block multiplies one after another
  unsigned blocks;  ///< for skinny_rows rows
  int shared;       ///< shared_by
  Index rows;

  /// As many turns as let all blocks be there at once, of which a device holds `at_once`.
  constexpr SkinnyPlan(Index rows, Index columns, Index one, Index two, Index three, Index at_once)
      : first(static_cast<unsigned>(output_groups(one, columns))),
        second(first + static_cast<unsigned>(output_groups(two, columns))),
        all(second + static_cast<unsigned>(output_groups(three, columns))),
        turns(static_cast<unsigned>(all <= at_once ? 1 : (all + at_once - 1) / at_once)),
        blocks((all + turns - 1) / turns),
        shared(shared_by(columns)),
        rows(rows) {}

  /// Blocks in all.
  [[nodiscard]] constexpr Index grid() const {
    return Index{blocks} * ((rows + skinny_rows - 1) / skinny_rows);
  }
};
template <class T, class W>
[[nodiscard]] constexpr SkinnyPlan plan_of(const JoinedProducts<T, W>& products, Index at_once) {
  return {products.first.y.rows,     products.first.x.columns, products.first.y.columns,
          products.second.y.columns, products.third.y.columns, at_once};
}
template <class T>
[[nodiscard]] constexpr SkinnyPlan plan_of(Erased<T> y, Erased<const T> x, Index at_once) {
  return {y.rows, x.columns, y.columns, 0, 0, at_once};
}

/// Every operand can be read 16 bytes at once.
template <class T, class W>
[[nodiscard]] bool aligned_operands(const JoinedProducts<T, W>& products) {
  const auto aligned = [](const Product<T, W>& p) {
    return p.w == nullptr || (aligned_rows(p.x.data, p.x.stride) && aligned_rows(p.w, p.x.columns));
  };
  return aligned(products.first) && aligned(products.second) && aligned(products.third) &&
         aligned_rows(products.norm.weight, products.first.x.columns);
}

template <class T, class W>
[[nodiscard]] bool aligned_operands(Erased<const T> x, const GateAndUp<W>& weights,
                                    const InputNorm<T>& norm) {
  return aligned_rows(x.data, x.stride) && aligned_rows(weights.gate, x.columns) &&
         aligned_rows(weights.up, x.columns) && aligned_rows(norm.weight, x.columns);
}

/// What a block multiplies: rows, and groups of outputs, of which each warp has one, or a part.
struct SkinnyShare {
  unsigned begin;  ///< group
  unsigned end;
  Index first;  ///< row
  int rows;     ///< up to skinny_rows
  int shared;   ///< shared_by

  /// Of block `block`: all groups of outputs of the first rows, then those of the next.
  __host__ __device__ SkinnyShare(unsigned block, const SkinnyPlan& plan)
      : begin(block), first(0), shared(plan.shared) {
    if (block >= plan.blocks) {  // few rows spare the division
      begin = block % plan.blocks;
      first = Index{block / plan.blocks} * skinny_rows;
    }
    begin *= plan.turns;
    end = begin + plan.turns < plan.all ? begin + plan.turns : plan.all;
    rows = static_cast<int>(plan.rows - first < skinny_rows ? plan.rows - first : skinny_rows);
  }
  [[nodiscard]] __host__ __device__ int parts() const { return 1 << shared; }
  [[nodiscard]] __host__ __device__ int part(int thread) const {
    return thread / warp_size & (parts() - 1);
  }
  /// Of a group of one product.
  [[nodiscard]] __host__ __device__ Index output(unsigned group, int thread) const {
    return (Index{group} * product_warps + thread / warp_size) >> shared;
  }
};

/// The product that a group of outputs is of; `group` becomes the group within it.
template <class T, class W>
[[nodiscard]] __host__ __device__ Product<T, W> product_of(const JoinedProducts<T, W>& products,
                                                           const SkinnyPlan& plan,
                                                           unsigned& group) {
  // One by one, for an index into the arguments would move them to memory.
  if (group < plan.first) return products.first;
  if (group < plan.second) {
    group -= plan.first;
    return products.second;
  }
  group -= plan.second;
  return products.third;
}

/// The sums of warps that share an output, added in the order of their parts, which the first of
/// them then has.
template <class Registers, int count, class Block>
__host__ __device__ void add_parts(Block& block, const SkinnyShare& share, float* memory) {
  block.template warp_sum<count>([](Registers& r, int at) -> float& { return r.sum[at]; });
  if (share.shared == 0) return;
  // A lane for a row has all of its sums, as below, where they are used.
  block.each([&](int thread, Registers& r) {
#pragma unroll
    for (int at = 0; at < count; ++at) {
      if (thread % warp_size != at % product_rows) continue;
      memory[thread / warp_size * count + at] = r.sum[at];
    }
  });
  block.each([&](int thread, Registers& r) {
    if (share.part(thread) != 0) return;
#pragma unroll
    for (int at = 0; at < count; ++at) {
      if (thread % warp_size != at % product_rows) continue;
#pragma unroll 1
      for (int part = 1; part < share.parts(); ++part) {
        r.sum[at] += memory[(thread / warp_size + part) * count + at];
      }
    }
  });
}

/// One group of outputs of some rows of x, which begin at `from`: as below.
template <Element T, class W, class Block>
__host__ __device__ void skinny_group(Block& block, const Product<T, W>& p, Erased<const T> x,
                                      Index from, unsigned group, const SkinnyShare& share,
                                      bool aligned, float* memory) {
  using Registers = SkinnyRegisters<T>;
  block.each([&](int thread, Registers& r) {
#pragma unroll
    for (int row = 0; row < product_rows; ++row) r.sum[row] = 0;
    const Index o = share.output(group, thread);
    if (o >= p.y.columns) return;
    const int lane = thread % warp_size;
    if constexpr (Code<W>) r.scale = p.scales[o];
    if (p.bias != nullptr) r.bias = p.bias[o];
    if (p.into == Into::add && lane < share.rows) {
      r.before = p.y.data[(share.first + lane) * p.y.stride + o];
    }
    const W* const weights[1] = {p.w + o * x.columns};
    dot_rows(weights, x, from, stretch_of<W>(x.columns, share.part(thread), share.shared),
             share.rows, lane, aligned, r.sum);
  });
  add_parts<Registers, product_rows>(block, share, memory);
  block.each([&](int thread, Registers& r) {
    const Index o = share.output(group, thread);
    if (o >= p.y.columns || share.part(thread) != 0) return;
#pragma unroll
    for (int row = 0; row < product_rows; ++row) {
      if (row >= share.rows || thread % warp_size != row) continue;
      float value = r.sum[row];
      if constexpr (Code<W>) value *= r.scale;
      if (p.bias != nullptr) value += widen(r.bias);
      if (p.into == Into::add) value += widen(r.before);
      p.y.data[(share.first + row) * p.y.stride + o] = narrow<T>(value);
    }
  });
}

/// Block (turns of groups of outputs, product after product) + blocks · (group of skinny_rows
/// rows), as SkinnyShare says.
///   for row, o: y[row][o] = (y[row][o] +) Σ_k x[row][k]·w[o][k] + bias[o]
/// where `normed` with rms_norm(x) for x; `memory` is shared, sum_bytes or normal_bytes.
template <bool normed, Element T, class W, class Block>
__host__ __device__ void skinny_products_body(Block& block, const JoinedProducts<T, W>& products,
                                              const SkinnyPlan& plan, bool aligned, float* memory) {
  const SkinnyShare share(static_cast<unsigned>(block.x()), plan);
  Erased<const T> x = products.first.x;
  Index from = share.first;
  if constexpr (normed) {
    x = normal_rows<SkinnyRegisters<T>>(block, memory, x, from, share.rows, products.norm, aligned);
    from = 0;
  }
#pragma unroll 1
  for (unsigned turn = share.begin; turn < share.end; ++turn) {
    unsigned group = turn;
    const Product<T, W> p = product_of(products, plan, group);
    skinny_group(block, p, x, from, group, share, aligned, memory);
  }
}

/// Block as above.
///   for row, o: y[row][o] = swiglu(narrow(Σ_k x[row][k]·gate[o][k]), narrow(Σ_k
///   x[row][k]·up[o][k]))
/// where `normed` with rms_norm(x) for x, as above.
template <bool normed, Element T, class W, class Block>
__host__ __device__ void skinny_swiglu_body(Block& block, Erased<T> y, Erased<const T> all,
                                            const GateAndUp<W>& weights, const InputNorm<T>& norm,
                                            const SkinnyPlan& plan, bool aligned, float* memory) {
  using Registers = SwigluRegisters<T>;
  const SkinnyShare share(static_cast<unsigned>(block.x()), plan);
  Erased<const T> x = all;
  Index from = share.first;
  if constexpr (normed) {
    x = normal_rows<Registers>(block, memory, all, from, share.rows, norm, aligned);
    from = 0;
  }
#pragma unroll 1
  for (unsigned group = share.begin; group < share.end; ++group) {
    block.each([&](int thread, Registers& r) {
#pragma unroll
      for (int at = 0; at < 2 * product_rows; ++at) r.sum[at] = 0;
      const Index o = share.output(group, thread);
      if (o >= y.columns) return;
      const W* const both[2] = {weights.gate + o * x.columns, weights.up + o * x.columns};
      dot_rows(both, x, from, stretch_of<W>(x.columns, share.part(thread), share.shared),
               share.rows, thread % warp_size, aligned, r.sum);
    });
    add_parts<Registers, 2 * product_rows>(block, share, memory);
    block.each([&](int thread, Registers& r) {
      const Index o = share.output(group, thread);
      if (o >= y.columns || share.part(thread) != 0) return;
#pragma unroll
      for (int row = 0; row < product_rows; ++row) {
        if (row >= share.rows || thread % warp_size != row) continue;
        y.data[(share.first + row) * y.stride + o] =
            Swiglu{}(narrow<T>(scaled<W>(r.sum[row], weights.gate_scales, o)),
                     narrow<T>(scaled<W>(r.sum[product_rows + row], weights.up_scales, o)));
      }
    });
  }
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
    widen_sixteen<C>(load(codes + first), values);
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
