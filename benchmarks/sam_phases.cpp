// SPDX-License-Identifier: Apache-2.0
// Times SAM at a checkpoint's sizes, one picture and one prompt for every line "run" on the
// standard input: our side of compare_sam.py. reference/pytorch/time_sam.py is the other and asks
// the same question.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <stamp/cpu.hpp>
#include <stamp/session/conversation.hpp>
#include <stamp/session/sam_model.hpp>
#include <string>

namespace {

using namespace stamp;

/// The high bits of a multiplicative hash as pixels: the same picture in every language.
[[nodiscard]] Image picture(Index side) {
  Image image{.width = side, .height = side, .pixels = {}};
  const auto count = static_cast<std::uint32_t>(3 * side * side);
  for (std::uint32_t at = 0; at < count; ++at) {
    image.pixels.push_back(static_cast<std::uint8_t>(at * 2654435761U >> 24U));
  }
  return image;
}

struct Settings {
  std::string model;
  std::string dtype = "bf16";
  Index threads = 2;
};

void serve(const Settings& settings) {
  auto model =
      load_sam<cpu::Backend>(settings.model, settings.threads, *cpu::compute_named(settings.dtype));
  const Image image = picture(model.config().vision.image_size);
  sam::Predictor<cpu::Backend> predictor(model.engine(), model.sam());
  std::printf(R"({"name": "stamp", "backend": "cpu", "dtype": "%s", "threads": %td})",
              settings.dtype.c_str(), settings.threads);
  std::printf("\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line) && line == "run";) {
    Stopwatch watch;
    predictor.set_image(image);
    const double encoder = watch.lap();
    sam::Prompt prompt;
    prompt.points.push_back(predictor.point(500, 375, sam::PointLabel::foreground));
    std::array<double, 21> laps{};  // the median of some prompts, as in time_sam.py
    sam::Prediction<float> found;
    for (double& lap : laps) {
      found = predictor.predict(prompt, sam::MaskChoice::single);
      lap = watch.lap();
    }
    std::ranges::sort(laps);
    const double decoder = laps[laps.size() / 2];
    std::printf(R"({"encoder": %.6f, "decoder": %.6f, "logits": [)", encoder, decoder);
    const char* separator = "";
    for (const auto logit : found.low.logits) {
      std::printf("%s%.6g", separator, static_cast<double>(logit));
      separator = ", ";
    }
    std::printf("]}\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Times SAM's image encoder and one prompt.");
  app.add_option("--model", settings.model, "checkpoint")->required();
  app.add_option("--dtype", settings.dtype)->check(CLI::IsMember({"fp32", "bf16", "int8"}));
  app.add_option("--threads", settings.threads);
  CLI11_PARSE(app, argc, argv);
  try {
    serve(settings);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
