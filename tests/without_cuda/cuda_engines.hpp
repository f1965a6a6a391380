// SPDX-License-Identifier: Apache-2.0
// The engines of stamp::cuda for the typed tests, where that target is not built: none.
// tests/with_cuda holds the other version; CMake chooses one by its folder.
#pragma once

#include <gtest/gtest.h>

#include <stamp/tensor/element.hpp>
#include <string>

namespace stamp::test {

/// The given engines and those of CUDA.
template <class... Others>
using AndCuda = ::testing::Types<Others...>;

template <class>
inline constexpr bool is_cuda = false;

/// An engine that keeps matrices in its element type, whatever the file has.
template <class>
inline constexpr bool rounds_weights = false;

/// An engine that does not read on the host what it was given for the device.
template <class>
inline constexpr bool numbers_stay_on_device = false;

/// "cuda_float" and so on.
template <class>
[[nodiscard]] inline std::string cuda_name() {
  return {};
}

/// Why an engine cannot run here; empty when it can.
template <class>
[[nodiscard]] inline std::string why_not_here() {
  return {};
}

}  // namespace stamp::test
