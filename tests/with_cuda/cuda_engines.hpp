// SPDX-License-Identifier: Apache-2.0
// The engines of stamp::cuda for the typed tests. Where there is no GPU their tests are skipped,
// each with the sentence that says why; the walked ones run everywhere.
#pragma once

#include <gtest/gtest.h>

#include <cuda/walked_engine.hpp>
#include <stamp/cuda/engine.hpp>
#include <string>

namespace stamp::test {

/// The given engines, those of CUDA, and its kernels walked on the host.
template <class... Others>
using AndCuda = ::testing::Types<Others..., cuda::Engine<float>, cuda::Engine<bfloat16>,
                                 Walked<float>, Walked<bfloat16>>;

template <class>
inline constexpr bool is_cuda = false;
template <Element T>
inline constexpr bool is_cuda<cuda::Engine<T>> = true;

/// An engine that keeps matrices in its element type, whatever the file has.
template <class B>
inline constexpr bool rounds_weights = is_cuda<B>;
template <Element T>
inline constexpr bool rounds_weights<Walked<T>> = true;

/// An engine that does not read on the host what it was given for the device.
template <class B>
inline constexpr bool numbers_stay_on_device = rounds_weights<B>;

/// "cuda_float" and so on.
template <class B>
[[nodiscard]] inline std::string cuda_name() {
  if (std::same_as<B, cuda::Engine<float>>) return "cuda_float";
  if (std::same_as<B, cuda::Engine<bfloat16>>) return "cuda_bfloat16";
  if (std::same_as<B, Walked<float>>) return "cuda_walked_float";
  return std::same_as<B, Walked<bfloat16>> ? "cuda_walked_bfloat16" : "";
}

/// Why an engine cannot run here; empty when it can.
template <class B>
[[nodiscard]] inline std::string why_not_here() {
  return is_cuda<B> ? cuda::missing_device() : std::string();
}

}  // namespace stamp::test
