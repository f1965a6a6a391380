// SPDX-License-Identifier: Apache-2.0
// The engines of stamp::cuda for the typed tests. Where there is no GPU their tests are skipped,
// each with the sentence that says why.
#pragma once

#include <gtest/gtest.h>

#include <stamp/cuda/engine.hpp>
#include <string>

namespace stamp::test {

/// The given engines and those of CUDA.
template <class... Others>
using AndCuda = ::testing::Types<Others..., cuda::Engine<float>, cuda::Engine<bfloat16>>;

template <class>
inline constexpr bool is_cuda = false;
template <Element T>
inline constexpr bool is_cuda<cuda::Engine<T>> = true;

/// "cuda_float" and so on.
template <class B>
[[nodiscard]] inline std::string cuda_name() {
  if (std::same_as<B, cuda::Engine<float>>) return "cuda_float";
  return std::same_as<B, cuda::Engine<bfloat16>> ? "cuda_bfloat16" : "";
}

/// Why an engine cannot run here; empty when it can.
template <class B>
[[nodiscard]] inline std::string why_not_here() {
  return is_cuda<B> ? cuda::missing_device() : std::string();
}

}  // namespace stamp::test
