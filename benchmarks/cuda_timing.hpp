// SPDX-License-Identifier: Apache-2.0
// How benchmarks on a GPU take times and say them, and attention at the published sizes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <stamp/cuda/engine.hpp>
#include <string>
#include <vector>

namespace stamp::benchmarks {

using Engine = cuda::Engine<bfloat16>;
using Clock = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds of one call: batches of calls are queued until each takes some milliseconds, and the
/// median, the tenth and the ninetieth per cent of the batches count.
struct Times {
  double median = 0;
  double p10 = 0;
  double p90 = 0;
};
[[nodiscard]] inline Times time_of(Engine& engine, const std::function<void()>& call) {
  for (int warm = 0; warm < 3; ++warm) call();
  engine.device().wait();
  int calls = 1;
  for (;; calls *= 2) {
    const auto start = Clock::now();
    for (int at = 0; at < calls; ++at) call();
    engine.device().wait();
    if (seconds_since(start) > 0.005 || calls >= 4096) break;
  }
  std::vector<double> batches;
  for (int batch = 0; batch < 15; ++batch) {
    const auto start = Clock::now();
    for (int at = 0; at < calls; ++at) call();
    engine.device().wait();
    batches.push_back(seconds_since(start) / calls);
  }
  std::ranges::sort(batches);
  return {batches[7], batches[1], batches[13]};
}

inline void print(const char* kind, const std::string& name, const Times& times, double operations,
                  double bytes) {
  std::printf(R"({"kind": "%s", "name": "%s", "ms": %.6g, "ms_p10": %.6g, "ms_p90": %.6g, )"
              R"("tflops": %.5g, "gbytes_per_s": %.5g})"
              "\n",
              kind, name.c_str(), times.median * 1e3, times.p10 * 1e3, times.p90 * 1e3,
              operations / times.median * 1e-12, bytes / times.median * 1e-9);
  std::fflush(stdout);
}

inline void upload_random(Engine& engine, View<bfloat16, Tokens, Hidden> view, std::uint64_t seed) {
  std::mt19937 random(static_cast<std::uint32_t>(seed));
  std::vector<float> numbers(static_cast<std::size_t>(view.size()));
  for (float& number : numbers) {
    number = static_cast<float>(random()) * 0x1p-31F - 1;
  }
  engine.upload(view, std::span<const float>(numbers));
}

/// Error{resource} where the engine has not got the Hopper attention kernel that it was asked for.
inline void check_hopper(const Engine& engine) {
  if (engine.attention() == cuda::Attention::hopper) return;
  fail(Fault::resource,
       "cuda: Hopper attention: expected a device of compute capability 9.0 and a driver that "
       "writes tensor maps, found none");
}

/// Sizes of one attention; `visible` counts the pairs of row and key that see each other.
struct AttentionCase {
  const char* name;
  Index rows, keys, heads, kv_heads, dim;
  double visible;
};

/// Random operands of a case in device memory, as long as this lives.
class AttentionOperands {
 public:
  AttentionOperands(Engine& engine, const AttentionCase& shape)
      : engine_(&engine), frame_(engine.frame()), shape_(shape) {
    upload_random(engine, query_, 1);
    upload_random(engine, key_, 2);
    upload_random(engine, value_, 3);
  }

  template <MaskPolicy Mask>
  [[nodiscard]] cuda::AttendCall<bfloat16> call(Mask mask) const {
    const auto as_heads = [&](const View<const bfloat16, Tokens, Hidden>& view, Index count) {
      return erase(split(view, Heads{count}, HeadDim{shape_.dim}));
    };
    return {erase(split(y_, Heads{shape_.heads}, HeadDim{shape_.dim})),
            as_heads(query_, shape_.heads),
            as_heads(key_, shape_.kv_heads),
            as_heads(value_, shape_.kv_heads),
            0.1F,
            cuda::MaskRule(mask)};
  }
  /// What a kernel computes.
  template <MaskPolicy Mask>
  [[nodiscard]] std::vector<float> run(cuda::AttendKernel kernel, Mask mask) {
    attend_with(*engine_, call(mask), kernel);
    std::vector<float> found(static_cast<std::size_t>(y_.size()));
    engine_->download(std::span<float>(found), View<const bfloat16, Tokens, Hidden>(y_));
    return found;
  }
  template <MaskPolicy Mask>
  void time(cuda::AttendKernel kernel, const std::string& label, Mask mask) {
    const auto made = call(mask);
    const Times times = time_of(*engine_, [&] { attend_with(*engine_, made, kernel); });
    const double numbers = static_cast<double>(2 * query_.size() + key_.size() + value_.size());
    print("attention", shape_.name + ("_" + label), times,
          4 * shape_.visible * static_cast<double>(shape_.heads * shape_.dim), 2 * numbers);
  }

 private:
  [[nodiscard]] View<bfloat16, Tokens, Hidden> matrix(Index rows, Index heads) {
    return engine_->allocate<bfloat16>(Tokens{rows}, Hidden{heads * shape_.dim});
  }

  Engine* engine_;
  Engine::Scratch::Frame frame_;
  AttentionCase shape_;
  View<bfloat16, Tokens, Hidden> y_ = matrix(shape_.rows, shape_.heads);
  View<bfloat16, Tokens, Hidden> query_ = matrix(shape_.rows, shape_.heads);
  View<bfloat16, Tokens, Hidden> key_ = matrix(shape_.keys, shape_.kv_heads);
  View<bfloat16, Tokens, Hidden> value_ = matrix(shape_.keys, shape_.kv_heads);
};

/// visit(case, mask) for the attention of the phases that have many rows.
template <class Visit>
void each_long_attention(const Visit& visit) {
  constexpr double causal = 1100.0 * 1101 / 2;
  const MaskRows mask_pass{1150, 1150, 1024};
  visit({"vision_hd80", 4096, 4096, 16, 16, 80, 4096.0 * 4096}, Bidirectional{4096});
  visit({"prefill_2b", 1100, 1100, 12, 2, 128, causal}, Causal{0});
  visit({"prefill_7b", 1100, 1100, 28, 4, 128, causal}, Causal{0});
  visit({"mask_2b", 1024, 2174, 12, 2, 128, 1024.0 * 2174}, mask_pass);
  visit({"mask_7b", 1024, 2174, 28, 4, 128, 1024.0 * 2174}, mask_pass);
}

}  // namespace stamp::benchmarks
