// SPDX-License-Identifier: Apache-2.0
// cuBLASLt made of a plain loop, as a library of the same name, which the loader finds in place of
// NVIDIA's. It names the candidates that it is told to name and keeps what it was asked.
#pragma once

#include <cublasLt.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace stamp::test {

struct HostProducts {
  struct Candidate {
    float milliseconds = 1;
    cublasStatus_t runs = CUBLAS_STATUS_SUCCESS;  ///< what multiplying with it says
    cublasStatus_t state = CUBLAS_STATUS_SUCCESS;
    /// With its inner axis in so many parts; in others it does not take a product.
    std::map<std::int32_t, float> split_milliseconds{};
    std::size_t split_workspace = 0;  ///< bytes that it needs then
    std::uint32_t tile = 0, stages = 0;
    std::int32_t splits = 1;  ///< as the search names it
  };
  std::vector<Candidate> candidates{{3}, {1}, {2}};
  cublasStatus_t creates = CUBLAS_STATUS_SUCCESS;   ///< what making a handle says
  cublasStatus_t searches = CUBLAS_STATUS_SUCCESS;  ///< what a search for candidates says

  std::chrono::milliseconds search_takes{0};

  /// A search, by the attributes of its preference.
  struct Search {
    std::map<int, std::uint64_t> preference;
  };
  std::vector<Search> searched;

  /// Reduction schemes that were asked for with parts.
  std::set<std::uint32_t> reductions;

  struct Call {
    cublasComputeType_t compute;
    cudaDataType_t scale, type;
    std::size_t candidate;
    std::int32_t splits;
    const void* bias;
    float beta;
    const void* y;
    std::uint64_t out, rows, in;
    std::int64_t x_stride, y_stride;
  };
  std::vector<Call> multiplied;
};

/// The only one.
[[nodiscard]] HostProducts& host_products();

}  // namespace stamp::test
