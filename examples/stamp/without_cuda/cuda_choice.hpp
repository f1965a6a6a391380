// SPDX-License-Identifier: Apache-2.0
// --backend cuda in a build without stamp::cuda: refused by name. with_cuda/ holds the other
// version; CMake chooses one by its folder.
#pragma once

#include <stamp/tensor/check.hpp>
#include <string_view>
#include <tuple>

namespace stamp::command {

/// Throws Error{resource} unless this build and this machine have what --backend cuda needs.
inline void require_cuda(std::string_view /*attention*/) {
  fail(Fault::resource,
       "backend not built: --backend cuda: expected reference or cpu, those of this build, found "
       "cuda");
}

/// There is none to lose.
[[nodiscard]] inline bool device_is_lost() { return false; }

/// run.operator()<Engine>() for the engine of a type.
template <class Run>
int with_cuda_engine(std::string_view, const Run&) {
  require_cuda("");
  return 0;
}

/// What a model's engine takes after the number of threads, where it is one of CUDA's.
template <class B>
[[nodiscard]] std::tuple<> cuda_arguments(std::string_view, std::string_view) {
  return {};
}

}  // namespace stamp::command
