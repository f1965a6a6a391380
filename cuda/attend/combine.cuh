// SPDX-License-Identifier: Apache-2.0
// The parts of a split attention put together, part after part in a fixed order.
#pragma once

#include <cmath>
#include <stamp/cuda/attend/call.hpp>
#include <stamp/cuda/block.cuh>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr int combine_threads = 128;

struct CombineRegisters {
  float largest;
  float sum;
};

/// Block (x: packed row, y: key head).
///   largest = max over parts; weight[part] = exp(largest[part] - largest)
///   y[d] = Σ weight[part]·values[part][d] / Σ weight[part]·sum[part]; zero where no part saw a key
template <Element T, class Block>
__host__ __device__ void attend_combine_body(Block& block, const AttendCall<T>& call,
                                             const AttendParts& parts) {
  const Index dim = call.y.dim;
  const PackedRows packing = call.packing();
  const Index packed = block.x();
  const Index kv_head = block.y();
  const Index step = call.key.heads * call.packed_rows();  // from part to part
  const Index at = kv_head * call.packed_rows() + packed;
  block.each([&](int thread, CombineRegisters& r) {
    r.largest = -INFINITY;
    for (Index part = 0; part < parts.split.parts; ++part) {
      const float largest = parts.largest[at + part * step];
      if (!(largest <= r.largest)) r.largest = largest;  // NaN stays
    }
    r.sum = 0;
    for (Index part = 0; part < parts.split.parts; ++part) {
      const float largest = parts.largest[at + part * step];
      if (largest != -INFINITY) {
        r.sum += std::exp(largest - r.largest) * parts.sum[at + part * step];
      }
    }
    T* const y =
        call.y.data + packing.token(packed) * call.y.stride + packing.head(packed, kv_head) * dim;
    for (Index d = thread; d < dim; d += combine_threads) {
      float value = 0;
      for (Index part = 0; part < parts.split.parts; ++part) {
        const float largest = parts.largest[at + part * step];
        if (largest != -INFINITY) {
          value += std::exp(largest - r.largest) * parts.values[(at + part * step) * dim + d];
        }
      }
      y[d] = narrow<T>(r.sum == 0 ? 0 : value / r.sum);
    }
  });
}

}  // namespace stamp::cuda
