// SPDX-License-Identifier: Apache-2.0
// The goldens on CUDA, where stamp::cuda is not built: skipped. with_cuda/ holds the other version.
#pragma once

#include <string>
#include <string_view>

namespace stamp::test {

/// Why no golden can run on a GPU here; empty when they can.
[[nodiscard]] inline std::string why_no_cuda() { return "stamp::cuda is not built"; }

inline constexpr bool has_walked_kernels = false;

/// run.operator()<Engine>()
template <class Run>
void on_cuda_float(const Run&) {}
template <class Run>
void on_cuda_bfloat16(const Run&) {}
template <class Run>
void on_walked_kernels(const Run&) {}

/// run.operator()<Engine>(weights) with what --dtype names: "bf16", "int8" or "fp8".
template <class Run>
void on_cuda_weights(std::string_view, const Run&) {}
template <class Run>
void on_walked_weights(std::string_view, const Run&) {}

}  // namespace stamp::test
