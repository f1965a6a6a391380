// SPDX-License-Identifier: Apache-2.0
// Linked with the `stamp` command over the host's runtime: STAMP_FAILING_LAUNCH names the kernel
// launch that fails, counted from 1. Where it is set the process must meet that fault and call
// nothing after it, to its very end; else its exit code becomes one of those below.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cuda/runtime/host_runtime.hpp>

namespace {

using stamp::test::host_runtime;

constexpr int no_fault_met = 98;
constexpr int called_after_fault = 99;

void judge_end() {
  int code = 0;
  if (!host_runtime().fault_told) code = no_fault_met;
  if (host_runtime().after_fault != 0) code = called_after_fault;
  if (code == 0) return;
  std::fflush(nullptr);
  ::_exit(code);
}

/// Made ahead of main(), so that judge_end comes after what main() leaves behind.
const bool prepared = [] {
  const char* const launch = std::getenv("STAMP_FAILING_LAUNCH");
  if (launch == nullptr) return true;
  host_runtime().failing_launch = std::atoi(launch);
  return std::atexit(judge_end) == 0;
}();

}  // namespace
