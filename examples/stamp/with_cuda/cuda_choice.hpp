// SPDX-License-Identifier: Apache-2.0
// --backend cuda in a build with stamp::cuda.
#pragma once

#include <stamp/cuda/engine.hpp>
#include <string_view>
#include <tuple>

namespace stamp::command {

/// Throws Error{resource} unless this build and this machine have what --backend cuda and
/// --attention, where it was given, need.
inline void require_cuda(std::string_view attention) {
  const std::string missing = cuda::missing_device();
  if (!missing.empty()) fail(Fault::resource, "--backend " + missing);  // "cuda: no device: …"
  const cuda::Attention wanted = cuda::attention_named(attention);
  if (cuda::attention_here(wanted) != wanted) {
    fail(Fault::resource, "--attention hopper: " + std::string(cuda::hopper_not_here));
  }
}

/// A kernel has failed: nothing runs on the device any more in this process.
[[nodiscard]] inline bool device_is_lost() { return !cuda::alive(); }

/// run.operator()<Engine>() for the engine of a type.
template <class Run>
int with_cuda_engine(std::string_view dtype, const Run& run) {
  if (dtype == "fp32") return run.template operator()<cuda::Engine<float>>();
  return run.template operator()<cuda::Engine<bfloat16>>();
}

/// What a model's engine takes after the number of threads, where it is one of CUDA's.
template <class B>
[[nodiscard]] auto cuda_arguments(std::string_view dtype, std::string_view attention) {
  if constexpr (std::same_as<B, cuda::Engine<bfloat16>>) {
    return std::tuple(cuda::weights_named(dtype), cuda::attention_named(attention));
  } else {
    return std::tuple();
  }
}

}  // namespace stamp::command
