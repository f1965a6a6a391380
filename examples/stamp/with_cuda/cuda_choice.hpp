// SPDX-License-Identifier: Apache-2.0
// --backend cuda in a build with stamp::cuda.
#pragma once

#include <stamp/cuda/engine.hpp>
#include <string_view>
#include <tuple>

namespace stamp::command {

/// Throws Error{resource} unless this build and this machine have what --backend cuda needs.
inline void require_cuda() {
  const std::string missing = cuda::missing_device();
  if (!missing.empty()) fail(Fault::resource, "--backend " + missing);  // "cuda: no device: …"
}

/// run.operator()<Engine>() for the engine of a type.
template <class Run>
int with_cuda_engine(std::string_view dtype, const Run& run) {
  if (dtype == "fp32") return run.template operator()<cuda::Engine<float>>();
  return run.template operator()<cuda::Engine<bfloat16>>();
}

/// What a model's engine takes after the number of threads, where it is one of CUDA's.
template <class B>
[[nodiscard]] auto cuda_arguments(std::string_view dtype) {
  if constexpr (std::same_as<B, cuda::Engine<bfloat16>>) {
    return std::tuple(cuda::weights_named(dtype));
  } else {
    return std::tuple();
  }
}

}  // namespace stamp::command
