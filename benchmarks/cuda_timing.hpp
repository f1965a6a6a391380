// SPDX-License-Identifier: Apache-2.0
// How benchmarks on a GPU take times and say them, and attention at the published sizes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
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

/// What one call asks for.
struct Work {
  double operations = 0;
  double bytes = 0;
  /// A host launches a kernel in some microseconds: single calls of less would time the host. About
  /// what an H200 does in 50 microseconds; gpu_peers.py draws the same line.
  [[nodiscard]] bool brief() const { return operations < 40e9 && bytes < 200e6; }
};

/// Seconds of one call: batches of calls are queued until each takes some milliseconds, and the
/// median, the tenth and the ninetieth per cent of the batches count.
struct Times {
  double median = 0;
  double p10 = 0;
  double p90 = 0;
  int recorded = 0;  ///< calls that one graph launched; 0 where the host launched call by call
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

/// Brief calls are recorded, `many` of them one after another, and the graph is timed; where the
/// driver does not record them, and others, call by call.
[[nodiscard]] inline Times time_of(Engine& engine, const Work& work, int many,
                                   const std::function<void()>& call) {
  if (!work.brief()) return time_of(engine, call);
  for (int warm = 0; warm < many; ++warm) call();  // chooses algorithms, grows scratch memory
  const cuda::Graph graph = engine.device().record([&] {
    for (int at = 0; at < many; ++at) call();
  });
  if (!graph) return time_of(engine, call);
  const Times times = time_of(engine, [&] { engine.device().launch(graph); });
  return {times.median / many, times.p10 / many, times.p90 / many, many};
}

/// `more` is further members of the line, each with a comma before it.
inline void print(const char* kind, const std::string& name, const Times& times, const Work& work,
                  const std::string& more = "") {
  std::printf(R"({"kind": "%s", "name": "%s", "ms": %.6g, "ms_p10": %.6g, "ms_p90": %.6g, )"
              R"("recorded": %d, "tflops": %.5g, "gbytes_per_s": %.5g%s})"
              "\n",
              kind, name.c_str(), times.median * 1e3, times.p10 * 1e3, times.p90 * 1e3,
              times.recorded, work.operations / times.median * 1e-12,
              work.bytes / times.median * 1e-9, more.c_str());
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
  fail(Fault::resource, "cuda: Hopper attention: " + std::string(cuda::hopper_not_here));
}

/// Sizes of one attention; `visible` counts the pairs of row and key that see each other, and
/// `between` numbers lie between the rows of every operand.
struct AttentionCase {
  const char* name;
  Index rows, keys, heads, kv_heads, dim;
  double visible;
  Index between = 0;
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
    return {erase(heads_of(y_, shape_.heads)),
            erase(heads_of(View<const bfloat16, Tokens, Hidden>(query_), shape_.heads)),
            erase(heads_of(View<const bfloat16, Tokens, Hidden>(key_), shape_.kv_heads)),
            erase(heads_of(View<const bfloat16, Tokens, Hidden>(value_), shape_.kv_heads)),
            0.1F,
            cuda::MaskRule(mask)};
  }
  /// What a kernel computes, and at last 0, or NaN where it wrote between the rows.
  template <MaskPolicy Mask>
  [[nodiscard]] std::vector<float> run(cuda::AttendKernel kernel, Mask mask) {
    // What the kernel leaves out stays NaN.
    engine_->device().set(y_.data(), 0xff, static_cast<std::size_t>(y_.size()) * sizeof(bfloat16));
    attend_with(*engine_, call(mask), kernel);
    std::vector<float> rows(static_cast<std::size_t>(y_.size()));
    engine_->download(std::span<float>(rows), View<const bfloat16, Tokens, Hidden>(y_));
    std::vector<float> found;
    float last = 0;
    for (Index at = 0; at < std::ssize(rows); ++at) {
      const float number = rows[static_cast<std::size_t>(at)];
      if (at % y_.row_size() < shape_.heads * shape_.dim) {
        found.push_back(number);
      } else if (!std::isnan(number)) {
        last = std::numeric_limits<float>::quiet_NaN();
      }
    }
    found.push_back(last);
    return found;
  }
  template <MaskPolicy Mask>
  void time(cuda::AttendKernel kernel, const std::string& label, Mask mask) {
    const auto made = call(mask);
    const auto numbers = [&](Index rows, Index heads) {
      return static_cast<double>(rows * heads * shape_.dim);
    };
    const Work work{
        4 * shape_.visible * static_cast<double>(shape_.heads * shape_.dim),
        2 * (2 * numbers(shape_.rows, shape_.heads) + 2 * numbers(shape_.keys, shape_.kv_heads))};
    constexpr int many = 20;
    const Times times = time_of(*engine_, work, many, [&] { attend_with(*engine_, made, kernel); });
    print("attention", shape_.name + ("_" + label), times, work);
  }

 private:
  [[nodiscard]] View<bfloat16, Tokens, Hidden> matrix(Index rows, Index heads) {
    return engine_->allocate<bfloat16>(Tokens{rows}, Hidden{heads * shape_.dim + shape_.between});
  }
  template <class T>
  [[nodiscard]] View<T, Tokens, Heads, HeadDim> heads_of(const View<T, Tokens, Hidden>& rows,
                                                         Index heads) const {
    return split(columns(rows, 0, Hidden{heads * shape_.dim}), Heads{heads}, HeadDim{shape_.dim});
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
