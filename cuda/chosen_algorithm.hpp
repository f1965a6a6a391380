// SPDX-License-Identifier: Apache-2.0
// Which algorithm of the product library multiplies a shape, for whoever wants to tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <stamp/cuda/product.hpp>

namespace stamp::cuda {

/// By cuBLASLt's own numbers, CUBLASLT_ALGO_CONFIG_… ; what the library does not tell is 0.
struct ChosenAlgorithm {
  std::int32_t id = 0;
  std::uint32_t tile = 0;       ///< cublasLtMatmulTile_t; 20 is 128×128
  std::uint32_t stages = 0;     ///< cublasLtMatmulStages_t
  std::int32_t splits = 0;      ///< parts of the inner axis that are summed at the end; 1 is none
  std::uint32_t reduction = 0;  ///< cublasLtReductionScheme_t of the parts
  auto operator<=>(const ChosenAlgorithm&) const = default;
};

/// The choice for a product that this device has multiplied before; null where it never has, where
/// kernels of our own multiply it, and where the library has no algorithm for it.
template <DeviceElement T>
[[nodiscard]] std::optional<ChosenAlgorithm> chosen_algorithm(Device& device,
                                                              const Product<T>& product);

}  // namespace stamp::cuda
