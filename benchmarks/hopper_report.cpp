// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel beside the mma.sync one on a GPU: the same numbers to within
// bfloat16's rounding, the same bits in every run, then times of both. A program of its own, which
// gpu_report.sh runs under a time limit after what matters more: no GPU has run this kernel yet,
// and one that waits for ever must not cost the rest of the report.
//   hopper_report [compare: no times]
#include <cstring>

#include "hopper_comparison.hpp"

namespace {

using namespace stamp;
using namespace stamp::benchmarks;

[[nodiscard]] bool report(bool with_times) {
  Engine engine(1, cuda::Attention::hopper);
  check_hopper(engine);
  bool agree = true;
  // Small ones first: what is wrong shows there, and at once.
  for (const Index dim : {64, 80, 128}) {
    for (const auto& [rows, keys] :
         {std::pair<Index, Index>{64, 64}, {3, 5}, {129, 257}, {130, 1000}, {1000, 1000}}) {
      agree &= compare_small(engine, dim, rows, keys, 0);
    }
    for (const Index between : {8, 24}) agree &= compare_small(engine, dim, 130, 400, between);
    for (const Index between : {0, 8}) {
      agree &= compare_objects(engine, dim, 100, {130, 257, 300}, between);
    }
  }
  const DeviceNumbers images(engine, {0, 1024, 1100, 1100, 2500, 4096});
  const BlockDiagonal blocks{images.data(), 5};
  constexpr double pairs = 1024.0 * 1024 + 76.0 * 76 + 1400.0 * 1400 + 1596.0 * 1596;
  const AttentionCase several{"vision_blocks_hd80", 4096, 4096, 16, 16, 80, pairs};
  agree &= compare_kernels(engine, several, blocks);
  each_long_attention([&](const AttentionCase& shape, auto mask) {
    agree &= compare_kernels(engine, shape, mask);
  });
  if (!with_times) return agree;
  const auto time = [&](const AttentionCase& shape, auto mask) {
    AttentionOperands operands(engine, shape);
    operands.time(cuda::AttendKernel::tensor, "tensor", mask);
    operands.time(cuda::AttendKernel::hopper, "hopper", mask);
  };
  each_long_attention(time);
  time(several, blocks);
  return agree;
}

}  // namespace

int main(int count, char** words) {
  try {
    const bool with_times = count < 2 || std::strcmp(words[1], "compare") != 0;
    if (report(with_times)) return 0;
    std::fprintf(stderr, "hopper_report: the kernels disagree\n");
    return 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
