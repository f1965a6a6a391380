// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel beside the mma.sync one on a GPU: the same numbers to within
// bfloat16's rounding, the same bits in every run, then times of both. A program of its own, which
// gpu_report.sh runs last and under a time limit: no GPU has run this kernel yet, and one that
// waits for ever must not cost the rest of the report.
//   hopper_report [compare: no times]
#include <cmath>
#include <cstring>

#include "cuda_timing.hpp"

namespace {

using namespace stamp;
using namespace stamp::benchmarks;

/// The numbers of two kernels; whether they agree.
template <MaskPolicy Mask>
[[nodiscard]] bool compare(Engine& engine, const AttentionCase& shape, Mask mask) {
  AttentionOperands operands(engine, shape);
  const std::vector<float> wanted = operands.run(cuda::AttendKernel::tensor, mask);
  const std::vector<float> found = operands.run(cuda::AttendKernel::hopper, mask);
  double largest = 0;
  std::size_t beyond = 0;
  for (std::size_t at = 0; at < wanted.size(); ++at) {
    // Values lie within ±1. Both kernels round their weights, each by at most 2^-9 of itself, and
    // their results.
    const float difference = std::abs(found[at] - wanted[at]);
    if (!(difference <= 0x1p-8F + 0x1p-7F * std::abs(wanted[at]))) ++beyond;
    largest = std::fmax(largest, difference);
  }
  std::size_t changed = 0;
  for (int again = 0; again < 3; ++again) {
    const std::vector<float> other = operands.run(cuda::AttendKernel::hopper, mask);
    for (std::size_t at = 0; at < found.size(); ++at) {
      if (std::memcmp(&other[at], &found[at], sizeof(float)) != 0) ++changed;
    }
  }
  std::printf(R"({"kind": "compare", "name": "%s_%lldx%lldx%lld", "largest_difference": %.6f, )"
              R"("beyond": %zu, "changed": %zu, "of": %zu})"
              "\n",
              shape.name, static_cast<long long>(shape.rows), static_cast<long long>(shape.keys),
              static_cast<long long>(shape.dim), largest, beyond, changed, wanted.size());
  std::fflush(stdout);
  return beyond == 0 && changed == 0;
}

[[nodiscard]] bool report(bool with_times) {
  Engine engine(1, cuda::Attention::hopper);
  check_hopper(engine);
  bool agree = true;
  // Small ones first: what is wrong shows there, and at once.
  for (const Index dim : {64, 80, 128}) {
    for (const auto& [rows, keys] :
         {std::pair<Index, Index>{64, 64}, {3, 5}, {129, 257}, {130, 1000}, {1000, 1000}}) {
      const Index history = keys - rows;
      agree &= compare(engine, {"causal", rows, keys, 6, 2, dim, 0}, Causal{history});
      agree &= compare(engine, {"bidirectional", rows, keys, 2, 2, dim, 0}, Bidirectional{keys});
      agree &=
          compare(engine, {"gap", rows, keys, 7, 1, dim, 0}, MaskRows{history / 2, history, rows});
    }
  }
  const auto frame = engine.frame();
  const std::vector<std::int32_t> images{0, 1024, 1100, 1100, 2500, 4096};
  const auto boundaries = engine.allocate<std::int32_t>(Tokens{std::ssize(images)});
  engine.upload(boundaries, std::span<const std::int32_t>(images));
  const BlockDiagonal blocks{boundaries.data(), std::ssize(images) - 1};
  constexpr double pairs = 1024.0 * 1024 + 76.0 * 76 + 1400.0 * 1400 + 1596.0 * 1596;
  const AttentionCase several{"vision_blocks_hd80", 4096, 4096, 16, 16, 80, pairs};
  agree &= compare(engine, several, blocks);
  each_long_attention(
      [&](const AttentionCase& shape, auto mask) { agree &= compare(engine, shape, mask); });
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
