// SPDX-License-Identifier: Apache-2.0
// --backend cuda in a build with stamp::cuda.
#pragma once

#include <stamp/cuda/engine.hpp>
#include <string_view>

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

}  // namespace stamp::command
