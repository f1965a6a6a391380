// SPDX-License-Identifier: Apache-2.0
// Times stamp::cuda on a GPU: products and attention at the published sizes, the phases of an
// answer about a 1200×1200 picture, seen at 896×896, with random weights of the true 2B and 7B
// sizes, and SAM ViT-H; products and phases in 8-bit weights, too. "repeated" is a hundred answers
// of 2B, compared bit by bit. One JSON line a reading; gpu_report.sh runs it part by part,
// gpu_peers.py times PyTorch on the same shapes.
//   cuda_report operations|2b|7b|repeated|sam|int8|fp8|2b_hopper|7b_hopper
#include <cstring>
#include <stamp/model/qwen2_vl/published.hpp>

#include "cuda_phases.hpp"
#include "cuda_products.hpp"

namespace {

using namespace stamp;
using namespace stamp::benchmarks;

void report_operations() {
  Engine engine;
  const auto& facts = engine.device().facts();
  std::printf(R"({"kind": "device", "name": "%s", "capability": "%d.%d", "multiprocessors": %d})"
              "\n",
              facts.name.c_str(), facts.major, facts.minor, facts.multiprocessors);
  time_vision_products(engine);
  for (const Index rows : {1, 1024, 1100}) time_language_products(engine, rows, "");
  time_product(engine, "2b_head_1", 1, 1536, 151936);
  time_product(engine, "square_8192", 8192, 8192, 8192);
  const auto attention = [&](const AttentionCase& shape, auto mask) {
    AttentionOperands operands(engine, shape);
    operands.time(cuda::AttendKernel::tensor, "tensor", mask);
    operands.time(cuda::AttendKernel::tiled, "tiled", mask);
  };
  each_long_attention(attention);
  attention({"decode_2b", 1, 1150, 12, 2, 128, 1150.0}, Causal{1149});
  attention({"decode_7b", 1, 1150, 28, 4, 128, 1150.0}, Causal{1149});
}

/// Whether graphs and plain launches gave the same bits, and numbers.
[[nodiscard]] bool report_answers(Engine& engine, const std::string& name,
                                  const qwen2_vl::Config& config,
                                  cuda::Weights weights = cuda::Weights::full) {
  return TimedAnswers(engine, name, config, {.weights = weights}).run();
}

/// Decode streams codes, prefill and the mask pass widen them; gpu_report.sh compares the masks.
[[nodiscard]] bool report_in(cuda::Weights weights, const std::string& name) {
  Engine engine(1, weights);
  for (const Index rows : {1, 1100}) time_language_products(engine, rows, "_" + name);
  time_product(engine, "2b_head_1_" + name, 1, 1536, 151936);
  return report_answers(engine, "2b_" + name, qwen2_vl::published_2b(), weights);
}

/// With Hopper's attention, which gpu_report.sh keeps for the end.
[[nodiscard]] bool report_hopper(const std::string& name, const qwen2_vl::Config& config) {
  Engine engine(1, cuda::Attention::hopper);
  check_hopper(engine);
  return report_answers(engine, name, config);
}

[[nodiscard]] bool report(std::string_view part) {
  if (part == "int8") return report_in(cuda::Weights::int8, "int8");
  if (part == "fp8") return report_in(cuda::Weights::fp8, "fp8");
  if (part == "operations") {
    report_operations();
    return true;
  }
  if (part == "2b_hopper") return report_hopper("2b", qwen2_vl::published_2b());
  if (part == "7b_hopper") return report_hopper("7b", qwen2_vl::published_7b());
  Engine engine;
  if (part == "2b") return report_answers(engine, "2b", qwen2_vl::published_2b());
  if (part == "7b") return report_answers(engine, "7b", qwen2_vl::published_7b());
  if (part == "repeated") {
    return TimedAnswers(engine, "2b", qwen2_vl::published_2b(), {}).repeat(100);
  }
  if (part != "sam") {
    fail(Fault::usage, "cuda_report: expected a part to time, found " + std::string(part));
  }
  time_sam(engine, "sam_vit_h", sam::published_config(1280).value(), 7);
  return true;
}

}  // namespace

int main(int count, char** words) {
  try {
    bool equal = true;
    for (int at = 1; at < count; ++at) equal = report(words[at]) && equal;
    return equal ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
