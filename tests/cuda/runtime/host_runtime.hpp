// SPDX-License-Identifier: Apache-2.0
// A CUDA runtime made of host memory, linked in place of NVIDIA's: the library's own device.cpp and
// matmul.cpp run on it. Queued work runs only when somebody waits for it, as late as it may, so
// that who forgets to wait reads what is not there yet. It keeps count of calls and fails where it
// is told to.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stamp::test {

/// The calling thread's device; threads begin with the first.
[[nodiscard]] int& current_device();

/// What a machine has, and how it works.
struct HostMachine {
  int driver = CUDART_VERSION;
  int devices = 2;
  std::size_t memory = std::size_t{1} << 30U;  ///< bytes of a device
  bool has_code = true;                        ///< for the device's architecture
  bool overlaps = false;                       ///< kernels may begin while others end
  bool graphs_fit = true;                      ///< into what memory is left
  bool late = true;  ///< queued work runs when it is waited for, else at once
};

/// A machine, what fails there, and what was asked since the last reset.
struct HostRuntime : HostMachine {
  /// What every call answers once a kernel has failed.
  cudaError_t context = cudaSuccess;
  bool fault_told = false;         ///< by a call that answered so
  std::ptrdiff_t after_fault = 0;  ///< calls after the first one that did

  std::ptrdiff_t launches = 0;  ///< of kernels as nvcc built them (host_launches.cpp)
  /// The one that fails when it comes to run, counted from 1; 0 is none.
  std::ptrdiff_t failing_launch = 0;
  /// Dynamic shared memory that a kernel was allowed on a device, for good.
  std::map<std::pair<int, const void*>, std::size_t> shared_allowed;

  std::map<std::string, std::ptrdiff_t> calls;
  /// Of each call the devices that were the calling thread's.
  std::map<std::string, std::set<int>> devices_of;
  /// Things that somebody must give back: "stream", "event", "pinned", "block", "graph", …
  std::map<std::string, std::ptrdiff_t> live;
  float clock = 0;  ///< milliseconds that queued work has taken

  /// The call that is named fails so, `later` calls from now, once.
  void refuse(const std::string& name, cudaError_t status, std::ptrdiff_t later = 0) {
    refusals[name] = {status, later};
  }
  /// What every call begins with.
  void count(const std::string& name) {
    ++calls[name];
    devices_of[name].insert(current_device());
    if (fault_told) ++after_fault;
  }
  /// Counts a call and says whether it may go on.
  [[nodiscard]] cudaError_t begin(const std::string& name);
  /// Whoever holds it has the runtime alone.
  std::recursive_mutex alone;

  struct Refusal {
    cudaError_t status = cudaSuccess;
    std::ptrdiff_t later = 0;
  };
  std::map<std::string, Refusal> refusals;
  std::map<void*, std::size_t> blocks;  ///< device memory that is out
  std::vector<cudaStream_t> streams;
  cudaError_t last = cudaSuccess;  ///< what cudaGetLastError is to say

  [[nodiscard]] std::size_t held() const {
    std::size_t sum = 0;
    for (const auto& [block, bytes] : blocks) sum += bytes;
    return sum;
  }
  [[nodiscard]] std::ptrdiff_t alive() const {
    std::ptrdiff_t sum = 0;
    for (const auto& [kind, count] : live) sum += count;
    return sum;
  }
};

/// The only one.
[[nodiscard]] HostRuntime& host_runtime();
/// As after a start, but for what is still out.
void reset(HostRuntime& runtime);
/// What a kernel does: work of a stream that takes so long, recorded where the stream records.
cudaError_t queue(cudaStream_t stream, std::function<void()> work, float milliseconds = 0);

}  // namespace stamp::test
