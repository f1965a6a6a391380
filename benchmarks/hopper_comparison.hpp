// SPDX-License-Identifier: Apache-2.0
// The Hopper attention kernel beside the mma.sync one: the same numbers to within bfloat16's
// rounding, and the same bits in every run.
#pragma once

#include <cstring>

#include "cuda_timing.hpp"

namespace stamp::benchmarks {

/// The numbers of two kernels; whether they agree, the second one with itself, too.
template <MaskPolicy Mask>
[[nodiscard]] bool compare_kernels(Engine& engine, const AttentionCase& shape, Mask mask) {
  AttentionOperands operands(engine, shape);
  const std::vector<float> wanted = operands.run(cuda::AttendKernel::tensor, mask);
  const std::vector<float> found = operands.run(cuda::AttendKernel::hopper, mask);
  double largest = 0;
  std::size_t beyond = 0;
  for (std::size_t at = 0; at < wanted.size(); ++at) {
    // Values lie within ±1. Both kernels round their weights, each by at most 2^-9 of itself, and
    // their results. At last comes NaN where one of them wrote between the rows.
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
  const std::string apart =
      shape.between > 0 ? "_apart_" + std::to_string(shape.between) : std::string();
  std::printf(R"({"kind": "compare", "name": "%s_%lldx%lldx%lld%s", "largest_difference": %.6f, )"
              R"("beyond": %zu, "changed": %zu, "of": %zu})"
              "\n",
              shape.name, static_cast<long long>(shape.rows), static_cast<long long>(shape.keys),
              static_cast<long long>(shape.dim), apart.c_str(), largest, beyond, changed,
              wanted.size());
  std::fflush(stdout);
  return beyond == 0 && changed == 0;
}

/// Numbers that all calls of a device read, as long as this lives.
class DeviceNumbers {
 public:
  DeviceNumbers(Engine& engine, const std::vector<std::int32_t>& numbers)
      : frame_(engine.frame()), view_(engine.allocate<std::int32_t>(Tokens{std::ssize(numbers)})) {
    engine.upload(view_, std::span<const std::int32_t>(numbers));
  }
  [[nodiscard]] const std::int32_t* data() const { return view_.data(); }

 private:
  Engine::Scratch::Frame frame_;
  View<std::int32_t, Tokens> view_;
};

/// Every mask policy at small sizes, where what is wrong shows at once. `between` numbers lie
/// between rows, as in a matrix of several operands or a cache.
[[nodiscard]] inline bool compare_small(Engine& engine, Index dim, Index rows, Index keys,
                                        Index between) {
  const Index history = keys - rows;
  bool agree = true;
  agree &= compare_kernels(engine, {"causal", rows, keys, 6, 2, dim, 0, between}, Causal{history});
  agree &= compare_kernels(engine, {"bidirectional", rows, keys, 2, 2, dim, 0, between},
                           Bidirectional{keys});
  agree &= compare_kernels(engine, {"gap", rows, keys, 7, 1, dim, 0, between},
                           MaskRows{history / 2, history, rows});
  return agree;
}

/// Mask tokens of several objects in one pass, each of which sees another part of the history;
/// the last one sees all of it.
[[nodiscard]] inline bool compare_objects(Engine& engine, Index dim, Index masks,
                                          const std::vector<std::int32_t>& histories,
                                          Index between) {
  const DeviceNumbers seen(engine, histories);
  const Index rows = masks * std::ssize(histories);
  const Index first = histories.back();
  return compare_kernels(engine, {"objects", rows, first + rows, 6, 2, dim, 0, between},
                         MaskBlocks{seen.data(), first, masks});
}

}  // namespace stamp::benchmarks
