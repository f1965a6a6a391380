// SPDX-License-Identifier: Apache-2.0
// The goldens on CUDA's engines, and on its kernels walked on the host.
#pragma once

#include <cuda/walked_weights.hpp>
#include <stamp/cuda.hpp>
#include <string>
#include <string_view>

namespace stamp::test {

/// Why no golden can run on a GPU here; empty when they can.
[[nodiscard]] inline std::string why_no_cuda() { return cuda::missing_device(); }

inline constexpr bool has_walked_kernels = true;

/// run.operator()<Engine>()
template <class Run>
void on_cuda_float(const Run& run) {
  run.template operator()<cuda::Engine<float>>();
}
template <class Run>
void on_cuda_bfloat16(const Run& run) {
  run.template operator()<cuda::Engine<bfloat16>>();
}
template <class Run>
void on_walked_kernels(const Run& run) {
  run.template operator()<Walked<float>>();
}

/// run.operator()<Engine>(weights) with what --dtype names: "bf16", "int8" or "fp8".
template <class Run>
void on_cuda_weights(std::string_view dtype, const Run& run) {
  run.template operator()<cuda::Engine<bfloat16>>(cuda::weights_named(dtype));
}
template <class Run>
void on_walked_weights(std::string_view dtype, const Run& run) {
  run.template operator()<WalkedWeights>(cuda::weights_named(dtype));
}

}  // namespace stamp::test
