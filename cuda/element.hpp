// SPDX-License-Identifier: Apache-2.0
// The element types that this backend has kernels for.
#pragma once

#include <stamp/tensor/element.hpp>

namespace stamp::cuda {

/// float: true float32. bfloat16: products of bfloat16, sums in float.
template <class T>
concept DeviceElement = std::same_as<T, float> || std::same_as<T, bfloat16>;

}  // namespace stamp::cuda
