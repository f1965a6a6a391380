// SPDX-License-Identifier: Apache-2.0
// Eight neighbouring numbers at once: 16 bytes of bfloat16, 32 of float, in loads of 16 bytes where
// the address allows it.
#pragma once

#include <cstring>
#include <stamp/tensor/check.hpp>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

inline constexpr Index eight = 8;

template <class T>
struct alignas(16) Eight {
  T at[8];
};

/// 16 bytes as they lie in memory, the first number in the lowest bits.
struct alignas(16) Words {
  std::uint32_t at[4];
};

/// Numbers as a load leaves them, before they are told apart, which waits for the load: eight
/// numbers, or sixteen codes.
template <class W>
using Loaded = std::conditional_t<std::same_as<W, float>, Eight<float>, Words>;

/// Loads them; `from` is a multiple of 16 bytes.
template <class W>
[[nodiscard]] __host__ __device__ inline Loaded<W> load(const W* from) {
  Loaded<W> loaded;
  std::memcpy(&loaded, __builtin_assume_aligned(from, 16), sizeof(loaded));
  return loaded;
}

/// The same of what nobody reads again, which then does not push activations out of the first level
/// cache.
template <class W>
[[nodiscard]] __host__ __device__ inline Loaded<W> load_once(const W* from) {
#ifdef __CUDA_ARCH__
  struct {
    uint4 at[sizeof(Loaded<W>) / sizeof(uint4)];
  } words;
#pragma unroll
  for (std::size_t at = 0; at < sizeof(words) / sizeof(uint4); ++at) {
    words.at[at] = __ldcs(reinterpret_cast<const uint4*>(from) + at);
  }
  return std::bit_cast<Loaded<W>>(words);
#else
  return load(from);
#endif
}

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
