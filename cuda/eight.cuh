// SPDX-License-Identifier: Apache-2.0
// Eight neighbouring numbers at once: 16 bytes of bfloat16, 32 of float, in loads of 16 bytes where
// the address allows it.
#pragma once

#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr Index eight = 8;

template <class T>
struct alignas(16) Eight {
  T at[8];
};

/// from[0 … 7]; zero from `left` on. `aligned`: `from` is a multiple of 16 bytes.
template <Element T>
[[nodiscard]] __host__ __device__ inline Eight<T> load_eight(const T* from, Index left,
                                                             bool aligned) {
  if (aligned && left >= eight) return *reinterpret_cast<const Eight<T>*>(from);
  Eight<T> values{};
#pragma unroll
  for (int at = 0; at < 8; ++at) {
    if (at < left) values.at[at] = from[at];
  }
  return values;
}

/// to[0 … 7] = values, as far as `left`.
template <Element T>
__host__ __device__ inline void store_eight(T* to, const Eight<T>& values, Index left,
                                            bool aligned) {
  if (aligned && left >= eight) {
    *reinterpret_cast<Eight<T>*>(to) = values;
    return;
  }
#pragma unroll
  for (int at = 0; at < 8; ++at) {
    if (at < left) to[at] = values.at[at];
  }
}

}  // namespace stamp::cuda
