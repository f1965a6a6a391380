// SPDX-License-Identifier: Apache-2.0
// Times stamp::cuda on a GPU: products and attention at the published sizes, and the phases of an
// answer about a 1200×1200 picture, seen at 896×896, with random weights of the true 2B sizes, and
// SAM ViT-H; products and phases in 8-bit weights, too. One JSON line a reading; gpu_report.sh runs
// it, gpu_peers.py times PyTorch on the same shapes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <random>
#include <stamp/cuda/engine.hpp>
#include <stamp/sam.hpp>
#include <stamp/session/picture_steps.hpp>
#include <stamp/stamp.hpp>
#include <string>
#include <vector>

#include "cuda_timing.hpp"

namespace {

using namespace stamp;
using namespace stamp::benchmarks;

[[nodiscard]] std::vector<bfloat16> random_weights(std::size_t count) {
  std::vector<bfloat16> numbers(count);
  std::uint64_t state = 1;
  for (bfloat16& number : numbers) {  // a linear congruence is random enough to time with
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    number = bfloat16((static_cast<float>(state >> 40U) * 0x1p-24F - 0.5F) * 0.07F);
  }
  return numbers;
}

/// Any tensor of any model: matrices share one stretch of random numbers, norms are ones.
class SharedWeights {
 public:
  explicit SharedWeights(const std::vector<ExpectedTensor>& expected) {
    std::size_t largest = 0;
    for (const ExpectedTensor& tensor : expected) {
      StoredTensor& stored = tensors_[tensor.name];
      stored.type = ElementType::bfloat16;
      stored.rank = tensor.shape.size();
      std::ranges::copy(tensor.shape, stored.extents.begin());
      largest = std::max(largest, static_cast<std::size_t>(stored.size()));
    }
    numbers_ = random_weights(largest);
    ones_.assign(1U << 16U, bfloat16(1.0F));
    for (auto& [name, stored] : tensors_) {
      const bool norm = stored.rank == 1 && name.ends_with("weight");
      stored.data = reinterpret_cast<const std::byte*>(norm ? ones_.data() : numbers_.data());
    }
  }
  [[nodiscard]] std::optional<StoredTensor> find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::vector<bfloat16> numbers_;
  std::vector<bfloat16> ones_;
};

void time_product(Engine& engine, const std::string& name, Index rows, Index in, Index out) {
  const auto frame = engine.frame();
  const auto numbers = random_weights(static_cast<std::size_t>(in * out));
  StoredTensor stored;
  stored.type = ElementType::bfloat16;
  stored.rank = 2;
  stored.extents = {out, in};
  stored.data = reinterpret_cast<const std::byte*>(numbers.data());
  // Weights in turn, so that a product of few rows cannot find them in the cache.
  const Index copies = std::clamp<Index>((Index{256} << 20U) / (2 * in * out), 1, 16);
  std::vector<Engine::Matrix<Ffn, Hidden>> weights;
  for (Index at = 0; at < copies; ++at) {
    weights.push_back(engine.matrix(stored, Ffn{out}, Hidden{in}));
  }
  const auto x = engine.allocate<bfloat16>(Tokens{rows}, Hidden{in});
  const auto y = engine.allocate<bfloat16>(Tokens{rows}, Ffn{out});
  upload_random(engine, x, 1);
  std::size_t turn = 0;
  const Times times =
      time_of(engine, [&] { matmul(engine, y, x, weights[turn++ % weights.size()]); });
  const auto size = static_cast<double>(in) * static_cast<double>(out);
  const double of_weights = weights.front().kept == cuda::Weights::full ? 2 * size : size;
  print("product", name, times, 2 * static_cast<double>(rows) * size,
        of_weights + 2 * static_cast<double>(rows * (in + out)));
}

using Laps = std::map<std::string, std::vector<double>>;

void print_laps(const std::string& name, Laps& laps) {
  for (auto& [phase, times] : laps) {
    std::ranges::sort(times);
    std::printf(R"({"kind": "phase", "name": "%s_%s", "ms": %.4f, "ms_p10": %.4f, "ms_p90": %.4f})"
                "\n",
                name.c_str(), phase.c_str(), times[times.size() / 2] * 1e3, times.front() * 1e3,
                times.back() * 1e3);
  }
  std::fflush(stdout);
}

/// A square picture of numbers that look random.
[[nodiscard]] Image drawn_picture(std::uint32_t side) {
  Image image{.width = side, .height = side, .pixels = {}};
  for (std::uint32_t at = 0; at < side * side * 3; ++at) {
    image.pixels.push_back(static_cast<std::uint8_t>(at * 2654435761U >> 24U));
  }
  return image;
}

/// A picture into features, and one point through the decoder to a mask of the picture's size.
void time_sam(Engine& engine, const std::string& name, const sam::Config& config) {
  sam::Sam<Engine> sam(config);
  bind(engine, sam, SharedWeights(expected_tensors(sam)));
  sam::Predictor<Engine> predictor(engine, sam);
  const Image image = drawn_picture(1024);
  Laps laps;
  for (int run = 0; run < 8; ++run) {
    engine.device().wait();
    auto start = Clock::now();
    const auto lap = [&](const char* phase) {
      engine.device().wait();
      if (run > 0) laps[phase].push_back(seconds_since(start));  // the first one warms up
      start = Clock::now();
    };
    predictor.set_image(image);
    lap("image");
    sam::Prompt prompt;
    prompt.points.push_back(predictor.point(500, 375, sam::PointLabel::foreground));
    (void)predictor.predict(prompt, sam::MaskChoice::single);
    lap("prompt");
  }
  print_laps(name, laps);
}

void time_phases(Engine& engine, const std::string& name, const qwen2_vl::Config& config) {
  Stamp<Engine> stamp(config);
  {
    const auto start = Clock::now();
    const SharedWeights weights(expected_tensors(stamp));
    bind(engine, stamp, weights);
    engine.device().wait();
    std::printf(R"({"kind": "load", "name": "%s", "ms": %.1f})"
                "\n",
                name.c_str(), seconds_since(start) * 1e3);
  }
  const Image picture = drawn_picture(1200);
  const PicturePatches<Engine> patches(
      picture, {.min_pixels = Index{896} * 896, .max_pixels = Index{896} * 896});
  const qwen2_vl::PatchGrid grid = patches.grid();  // 64 x 64
  const auto write = [&](Engine& to, Activation<Engine, Patches, PatchLength> y) {
    patches.write(to, y, picture);
  };
  std::vector<std::int32_t> prompt(37, 100);
  prompt.push_back(static_cast<std::int32_t>(config.tokens.vision_start));
  prompt.insert(prompt.end(), 1024, static_cast<std::int32_t>(config.tokens.image_pad));
  prompt.insert(prompt.end(), 38, 100);
  constexpr int answer = 50;
  Laps laps;
  std::size_t requests = 0;
  for (int run = 0; run < 6; ++run) {
    Dialogue<Engine> dialogue(engine, stamp);
    engine.device().wait();
    auto start = Clock::now();
    const auto lap = [&](const char* phase, int parts) {
      engine.device().wait();
      if (run > 0) laps[phase].push_back(seconds_since(start) / parts);  // the first one warms up
      start = Clock::now();
    };
    dialogue.look(write, std::span(&grid, 1));
    lap("vision", 1);
    (void)dialogue.read(prompt);
    lap("prefill", 1);
    for (int said = 0; said < answer; ++said) {
      const std::int32_t id = 100;
      (void)dialogue.read(std::span(&id, 1));
    }
    lap("decode_token", answer);
    const auto mask =
        dialogue.segment(static_cast<Index>(prompt.size()) + answer - 1, MaskPositions::text);
    lap("mask_pass", 1);
    (void)upsample(engine, mask.values, mask.rows, mask.columns, picture.width, picture.height,
                   Upsample::bilinear);
    lap("mask_picture", 1);
    if (run == 2) requests = engine.device().requests();
  }
  print_laps(name, laps);
  std::printf(R"({"kind": "memory", "name": "%s_requests_after_warm_up", "count": %zu})"
              "\n",
              name.c_str(), engine.device().requests() - requests);
  std::fflush(stdout);
}

[[nodiscard]] qwen2_vl::Config published_2b() {
  qwen2_vl::Config config;
  config.tokens = {.im_start = 2,
                   .im_end = 3,
                   .vision_start = 4,
                   .vision_end = 5,
                   .image_pad = 6,
                   .seg = 7,
                   .mask = 8};
  return config;
}

struct Shape {
  const char* name;
  Index in, out;
};

void time_language_products(Engine& engine, Index rows, const std::string& weights) {
  for (const auto& [name, in, out] :
       {Shape{"2b_q", 1536, 1536}, Shape{"2b_kv", 1536, 256}, Shape{"2b_up", 1536, 8960},
        Shape{"2b_down", 8960, 1536}, Shape{"7b_q", 3584, 3584}, Shape{"7b_kv", 3584, 512},
        Shape{"7b_up", 3584, 18944}, Shape{"7b_down", 18944, 3584}}) {
    time_product(engine, std::string(name) + "_" + std::to_string(rows) + weights, rows, in, out);
  }
}

/// Decode streams codes, prefill and the mask pass widen them; gpu_report.sh compares the masks.
void report_in(cuda::Weights weights, const std::string& name) {
  Engine engine(1, weights);
  for (const Index rows : {1, 1100}) time_language_products(engine, rows, "_" + name);
  time_product(engine, "2b_head_1_" + name, 1, 1536, 151936);
  time_phases(engine, "2b_" + name, published_2b());
}

void report() {
  Engine engine;
  const auto& facts = engine.device().facts();
  std::printf(R"({"kind": "device", "name": "%s", "capability": "%d.%d", "multiprocessors": %d})"
              "\n",
              facts.name.c_str(), facts.major, facts.minor, facts.multiprocessors);
  for (const auto& [name, in, out] :
       {Shape{"vision_qkv", 1280, 3840}, Shape{"vision_proj", 1280, 1280},
        Shape{"vision_fc1", 1280, 5120}, Shape{"vision_fc2", 5120, 1280}}) {
    time_product(engine, std::string(name) + "_4096", 4096, in, out);
  }
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
  time_phases(engine, "2b", published_2b());
  time_sam(engine, "sam_vit_h", sam::published_config(1280).value());
}

void report_hopper() {
  Engine engine(1, cuda::Attention::hopper);
  check_hopper(engine);
  time_phases(engine, "2b", published_2b());
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count > 1 && std::string(words[1]) == "hopper") {  // the phases with its attention, alone
      report_hopper();
      return 0;
    }
    report();
    report_in(cuda::Weights::int8, "int8");
    report_in(cuda::Weights::fp8, "fp8");
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
