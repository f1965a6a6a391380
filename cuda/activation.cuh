// SPDX-License-Identifier: Apache-2.0
// The non-linear functions, number by number, as reference/activation.hpp states them.
#pragma once

#include <cmath>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

[[nodiscard]] __host__ __device__ inline float sigmoid(float z) { return 1 / (1 + std::exp(-z)); }

/// x·sigmoid(1.702·x)
struct QuickGelu {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T x, T) const {
    const float z = widen(x);
    return narrow<T>(z * sigmoid(1.702F * z));
  }
};

/// x·Φ(x)
struct Gelu {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T x, T) const {
    const float z = widen(x);
    return narrow<T>(z * 0.5F * (1 + std::erf(z * 0.70710678118654752440F)));
  }
};

/// silu(gate)·up; silu is rounded before the product
struct Swiglu {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T gate, T up) const {
    const float z = widen(gate);
    return narrow<T>(widen(narrow<T>(z * sigmoid(z))) * widen(up));
  }
};

/// max(x, 0); NaN stays NaN
struct Relu {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T x, T) const {
    return widen(x) < 0 ? narrow<T>(0) : x;
  }
};

/// y + x
struct Add {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T y, T x) const {
    return narrow<T>(widen(y) + widen(x));
  }
};

/// x
struct Copy {
  template <Element T>
  [[nodiscard]] __host__ __device__ T operator()(T, T x) const {
    return x;
  }
};

}  // namespace stamp::cuda
