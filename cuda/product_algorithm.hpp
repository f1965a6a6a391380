// SPDX-License-Identifier: Apache-2.0
// What an algorithm of cuBLASLt is configured to do, and the same algorithm with its inner axis
// split. Included by matmul.cpp only.
#pragma once

#include <stamp/cuda/chosen_algorithm.hpp>
#include <stamp/cuda/product_choices.hpp>
#include <stamp/cuda/product_library.hpp>

namespace stamp::cuda {

/// Sums of split products in a fixed order, in float: equal calls give equal bits.
inline constexpr std::uint32_t summed_in_order = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

[[nodiscard]] inline ChosenAlgorithm configuration_of(const ProductLibrary& lt,
                                                      const cublasLtMatmulAlgo_t& algorithm) {
  ChosenAlgorithm told;
  const auto read = [&](cublasLtMatmulAlgoConfigAttributes_t which, auto& value) {
    std::size_t written = 0;
    auto found = value;
    if (lt.get_algorithm(&algorithm, which, &found, sizeof(found), &written) ==
        CUBLAS_STATUS_SUCCESS) {
      value = found;
    }
  };
  read(CUBLASLT_ALGO_CONFIG_ID, told.id);
  read(CUBLASLT_ALGO_CONFIG_TILE_ID, told.tile);
  read(CUBLASLT_ALGO_CONFIG_STAGES_ID, told.stages);
  read(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, told.splits);
  read(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, told.reduction);
  return told;
}

/// Blocks of 128×128 outputs, the largest that is usual, leave multiprocessors without work: it may
/// pay that several share an output, each with a part of the inner axis.
[[nodiscard]] constexpr bool leaves_idle(const ProductShape& shape, Index multiprocessors) {
  constexpr Index side = 128;
  return ((shape.rows + side - 1) / side) * ((shape.out + side - 1) / side) < multiprocessors;
}

/// The algorithm with its inner axis in so many parts; null where it has no such setting. Whether
/// it takes a product then, and in which workspace, the library has yet to be asked.
[[nodiscard]] inline ProductAlgorithm in_parts(const ProductLibrary& lt,
                                               cublasLtMatmulAlgo_t algorithm, std::int32_t parts) {
  const auto write = [&](cublasLtMatmulAlgoConfigAttributes_t which, auto value) {
    return lt.set_algorithm(&algorithm, which, &value, sizeof(value)) == CUBLAS_STATUS_SUCCESS;
  };
  if (!write(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, parts) ||
      !write(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, summed_in_order)) {
    return {};
  }
  return algorithm;
}

}  // namespace stamp::cuda
