// SPDX-License-Identifier: Apache-2.0
// Times the phases of one answer at a checkpoint's sizes, one answer for every line "run" on the
// standard input: our side of compare_pytorch.py. reference/pytorch/time_phases.py is the other and
// asks the same question.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <span>
#include <stamp/reference.hpp>
#include <string>
#include <vector>
#ifdef STAMP_HAS_CPU
#include <stamp/cpu.hpp>
#endif

namespace {

using namespace stamp;

struct Settings {
  std::string model;
  std::string backend = "reference";
  std::string dtype = "fp32";
  Index pixels = 504;
  Index decode = 20;
  Index threads = 2;
};

[[nodiscard]] Settings read_settings(std::span<char*> words) {
  Settings settings;
  for (std::size_t at = 0; at + 1 < words.size(); at += 2) {
    const std::string name = words[at];
    const std::string value = words[at + 1];
    if (name == "--model") {
      settings.model = value;
    } else if (name == "--backend") {
      settings.backend = value;
    } else if (name == "--dtype") {
      settings.dtype = value;
    } else if (name == "--pixels") {
      settings.pixels = std::stol(value);
    } else if (name == "--decode") {
      settings.decode = std::stol(value);
    } else if (name == "--threads") {
      settings.threads = std::stol(value);
    } else {
      fail(Fault::usage, "not an option: " + name);
    }
  }
  if (settings.model.empty() || words.size() % 2 != 0) {
    fail(Fault::usage,
         "usage: phases --model DIR [--backend cpu|reference] [--dtype bf16|int8|fp32] [--pixels N]"
         " [--decode N] [--threads N]");
  }
  return settings;
}

/// One square image as random patches, and a prompt with 40 tokens of text around it.
struct Question {
  qwen2_vl::PatchGrid grid;
  std::vector<float> pixels;
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> answer;  ///< forced; `<|seg|>` comes last
};

[[nodiscard]] Question question(const qwen2_vl::Config& config, const Settings& settings) {
  constexpr std::int32_t word = 100;  // any token that is not special: which one costs nothing
  const Index side = settings.pixels / config.vision.patch_size;
  Question asked{{1, side, side}, {}, {}, {}};
  // The high bits of a multiplicative hash in [-1, 1): the same numbers in every language.
  const auto count =
      static_cast<std::uint32_t>(asked.grid.patches() * config.vision.patch_length());
  for (std::uint32_t at = 0; at < count; ++at) {
    asked.pixels.push_back(static_cast<float>(at * 2654435761U >> 8) / 0x1p23F - 1);
  }
  const auto add = [](std::vector<std::int32_t>& ids, Index times, Index id) {
    ids.insert(ids.end(), static_cast<std::size_t>(times), static_cast<std::int32_t>(id));
  };
  add(asked.prompt, 19, word);
  add(asked.prompt, 1, config.tokens.vision_start);
  add(asked.prompt, asked.grid.patches() / config.vision.merged_patches(), config.tokens.image_pad);
  add(asked.prompt, 1, config.tokens.vision_end);
  add(asked.prompt, 19, word);
  add(asked.answer, settings.decode - 1, word);
  add(asked.answer, 1, config.tokens.seg);
  return asked;
}

template <class Numbers>
void print_list(const char* name, const Numbers& numbers) {
  std::printf(", \"%s\": [", name);
  const char* separator = "";
  for (const auto number : numbers) {
    std::printf("%s%.6g", separator, static_cast<double>(number));
    separator = ", ";
  }
  std::printf("]");
}

/// One answer. A greedy choice is made for each token, as generation would, then the forced one
/// goes in: with random weights the choice may be anything.
template <Backend B>
void run(Model<B>& model, const Question& asked) {
  Dialogue<B> dialogue(model.engine(), model.stamp());
  std::vector<std::int32_t> chosen;
  Stopwatch watch;
  dialogue.look(asked.pixels, std::span(&asked.grid, 1));
  const double vision = watch.lap();
  auto scores = dialogue.read(asked.prompt);
  const double prefill = watch.lap();
  for (const std::int32_t id : asked.answer) {
    const auto best = std::ranges::max_element(scores);
    chosen.push_back(static_cast<std::int32_t>(best - scores.begin()));
    scores = dialogue.read(std::span(&id, 1));
  }
  const double decode = watch.lap();
  const Index seg = static_cast<Index>(dialogue.tokens().size()) - 1;
  const auto cells = dialogue.segment(seg, MaskPositions::text);
  const double mask = watch.lap();

  std::printf(R"({"vision": %.6f, "prefill": %.6f, "decode": %.6f, "mask": %.6f)", vision, prefill,
              decode, mask);
  print_list("chosen", chosen);
  print_list("logits", cells.values);
  std::printf("}\n");
  std::fflush(stdout);
}

/// Bytes that a decoded token reads for one weight.
[[nodiscard]] int weight_bytes(const Settings& settings) {
  if (settings.backend == "reference" || settings.dtype == "bf16") return 2;  // as stored
  return settings.dtype == "int8" ? 1 : 4;
}

template <Backend B>
void serve(const Settings& settings, Model<B> model) {
  const Question asked = question(model.config(), settings);
  std::printf(R"({"name": "stamp", "backend": "%s", "dtype": "%s", "weight_bytes": %d, )"
              R"("cache_bytes": %zu, "prompt": %zu, "threads": %td})",
              settings.backend.c_str(), settings.dtype.c_str(), weight_bytes(settings),
              sizeof(typename B::Element), asked.prompt.size(), settings.threads);
  std::printf("\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line) && line == "run";) run(model, asked);
}

void serve(const Settings& settings) {
  const LoadOptions options{.threads = settings.threads};
  if (settings.backend == "reference" && settings.dtype == "fp32") {
    return serve(settings, load<reference::Backend>(settings.model, options));
  }
#ifdef STAMP_HAS_CPU
  if (settings.backend == "cpu") {
    if (const auto compute = cpu::compute_named(settings.dtype)) {
      return serve(settings, load<cpu::Backend>(settings.model, options, *compute));
    }
  }
#endif
  fail(Fault::usage, "not built: " + settings.backend + " in " + settings.dtype);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    serve(read_settings(std::span(argv, static_cast<std::size_t>(argc)).subspan(1)));
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
