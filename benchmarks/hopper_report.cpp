// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel beside the mma.sync one on a GPU: the same numbers to within
// bfloat16's rounding, the same bits in every run; and times of both. A program of its own, which
// gpu_report.sh runs under a time limit after what matters more: no GPU has run this kernel yet,
// and one that waits for ever must not cost the rest of the report.
//   hopper_report small|compare|times     small: what compute-sanitizer has the time for
#include <string_view>

#include "hopper_comparison.hpp"

namespace {

using namespace stamp;
using namespace stamp::benchmarks;

constexpr double pairs_of_images = 1024.0 * 1024 + 76.0 * 76 + 1400.0 * 1400 + 1596.0 * 1596;

/// Every head size with every mask policy, and operands whose rows lie apart.
[[nodiscard]] bool compare_all_small(Engine& engine) {
  bool agree = true;
  for (const Index dim : {64, 80, 128}) {
    for (const auto& [rows, keys] : {std::pair<Index, Index>{64, 64}, {3, 5}, {129, 257}}) {
      agree &= compare_small(engine, dim, rows, keys, 0);
    }
    for (const Index between : {8, 24}) agree &= compare_small(engine, dim, 130, 400, between);
    for (const Index between : {0, 8}) {
      agree &= compare_objects(engine, dim, 100, {130, 257, 300}, between);
    }
  }
  return agree;
}

/// visit(case, mask) for the published sizes, and for several pictures in one call.
template <class Visit>
void each_published(Engine& engine, const Visit& visit) {
  each_long_attention(visit);
  const DeviceNumbers images(engine, {0, 1024, 1100, 1100, 2500, 4096});
  visit({"vision_blocks_hd80", 4096, 4096, 16, 16, 80, pairs_of_images},
        BlockDiagonal{images.data(), 5});
}

[[nodiscard]] bool compare_all(Engine& engine) {
  bool agree = compare_all_small(engine);  // first: what is wrong shows there, and at once
  for (const Index dim : {64, 80, 128}) {
    for (const Index rows : {130, 1000}) agree &= compare_small(engine, dim, rows, 1000, 0);
  }
  each_published(engine, [&](const AttentionCase& shape, auto mask) {
    agree &= compare_kernels(engine, shape, mask);
  });
  return agree;
}

void time_all(Engine& engine) {
  each_published(engine, [&](const AttentionCase& shape, auto mask) {
    AttentionOperands operands(engine, shape);
    operands.time(cuda::AttendKernel::tensor, "tensor", mask);
    operands.time(cuda::AttendKernel::hopper, "hopper", mask);
  });
}

[[nodiscard]] bool report(std::string_view part) {
  Engine engine(1, cuda::Attention::hopper);
  check_hopper(engine);
  if (part == "small") return compare_all_small(engine);
  if (part == "compare") return compare_all(engine);
  if (part != "times") {
    fail(Fault::usage, "hopper_report: expected small, compare or times, found " +
                           std::string(part.empty() ? "nothing" : part));
  }
  time_all(engine);
  return true;
}

}  // namespace

int main(int count, char** words) {
  try {
    if (report(count == 2 ? words[1] : "")) return 0;
    std::fprintf(stderr, "hopper_report: the kernels disagree\n");
    return 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
