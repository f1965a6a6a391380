// SPDX-License-Identifier: Apache-2.0
// IEEE 754 binary16 as an element type, from xtl.
#pragma once

#include <stamp/tensor/element.hpp>
#include <xtl/xhalf_float.hpp>

namespace stamp {

/// 16-bit float of safetensors' "F16".
using half = xtl::half_float;

template <>
inline constexpr bool is_half<half> = true;

}  // namespace stamp
