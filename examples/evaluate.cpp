// SPDX-License-Identifier: Apache-2.0
// Measures a checkpoint on a folder of pictures with questions and true masks: mean IoU by kind of
// question, and how often answers without a mask are right. Writes a JSON report; README and model
// card get their tables from it.
//   evaluate CHECKPOINT FOLDER REPORT.json [FIRST_SCENE SCENES]
// Runs on the fast backend; STAMP_DTYPE is bf16 (default), int8 or fp32.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <stamp/cpu.hpp>

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Sums of one kind of question.
struct Tally {
  int questions = 0;
  double score = 0;  ///< IoU of questions with masks, 1 or 0 of the others
};

stamp::Bitmap read_mask(const fs::path& path) {
  const stamp::Image image = stamp::read_image(path);
  stamp::Bitmap mask{image.width, image.height, {}};
  for (std::size_t at = 0; at < image.pixels.size(); at += 3) {
    mask.cells.push_back(image.pixels[at] > 127 ? 1 : 0);
  }
  return mask;
}

double intersection_over_union(const stamp::Bitmap& a, const stamp::Bitmap& b) {
  if (a.width != b.width || a.height != b.height) {
    stamp::fail(stamp::Fault::input, "truth: expected the image's size");
  }
  int both = 0;
  int either = 0;
  for (std::size_t at = 0; at < a.cells.size(); ++at) {
    both += a.cells[at] & b.cells[at];
    either += a.cells[at] | b.cells[at];
  }
  return either == 0 ? 1 : static_cast<double>(both) / either;
}

/// Masks in order against truths in order; a missing or a surplus mask counts as 0.
double mask_score(const stamp::Answer& answer, const Json& truths, const fs::path& folder) {
  const std::size_t most = std::max(answer.masks.size(), truths.size());
  double sum = 0;
  for (std::size_t at = 0; at < std::min(answer.masks.size(), truths.size()); ++at) {
    const auto truth = read_mask(folder / truths[at].get<std::string>());
    sum += intersection_over_union(answer.masks[at].bitmap(), truth);
  }
  return sum / static_cast<double>(most);
}

/// Right when no mask was made and the answer begins with the expected word, case aside.
double word_score(const stamp::Answer& answer, const std::string& expected) {
  const bool begins = answer.text.size() >= expected.size() &&
                      std::equal(expected.begin(), expected.end(), answer.text.begin(),
                                 [](unsigned char a, unsigned char b) {
                                   return std::tolower(a) == std::tolower(b);
                                 });
  return answer.masks.empty() && begins ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) {
    std::fprintf(stderr, "usage: evaluate CHECKPOINT FOLDER REPORT.json [FIRST_SCENE SCENES]\n");
    return 2;
  }
  try {
    const char* const wanted = std::getenv("STAMP_DTYPE");
    const std::string dtype = wanted == nullptr ? "bf16" : wanted;
    auto model = stamp::load<stamp::cpu::Backend>(argv[1], {},
                                                  dtype == "int8"   ? stamp::cpu::Compute::int8
                                                  : dtype == "fp32" ? stamp::cpu::Compute::fp32
                                                                    : stamp::cpu::Compute::bf16);
    const fs::path folder = argv[2];
    constexpr stamp::checkpoint::JsonLimits large{.bytes = std::size_t{64} << 20U};
    const auto scenes = stamp::checkpoint::read_json(folder / "questions.json", large)["scenes"];
    const std::size_t first = argc == 6 ? std::stoul(argv[4]) : 0;
    const std::size_t end =
        argc == 6 ? std::min(scenes.size(), first + std::stoul(argv[5])) : scenes.size();
    std::map<std::string, Tally> tallies;
    Json answers = Json::array();
    for (std::size_t scene = first; scene < end; ++scene) {
      const auto image = stamp::read_image(folder / scenes[scene]["image"].get<std::string>());
      for (const auto& question : scenes[scene]["questions"]) {
        const auto answer = stamp::segment(model, image, question["prompt"].get<std::string>(),
                                           {.max_new_tokens = 48});
        const Json truths = question["masks"];
        const double score = truths.empty()
                                 ? word_score(answer, question["answer"].get<std::string>())
                                 : mask_score(answer, truths, folder);
        std::vector<std::string> names{question["kind"].get<std::string>(),
                                       truths.empty() ? "all without masks" : "all with masks"};
        if (question.contains("pair") && !truths.empty())
          names.push_back("nothing, its positive twins");
        for (const std::string& name : names) {
          tallies[name].questions += 1;
          tallies[name].score += score;
        }
        answers.push_back({{"image", scenes[scene]["image"]},
                           {"prompt", question["prompt"]},
                           {"kind", names[0]},
                           {"text", answer.text},
                           {"score", score}});
      }
      if (isatty(STDERR_FILENO) == 1) {
        std::fprintf(stderr, "\r%zu of %zu scenes", scene + 1 - first, end - first);
      }
    }
    Json kinds = Json::object();
    std::printf("\n%-30s %9s %9s\n", "kind", "questions", "score");
    for (const auto& [name, tally] : tallies) {
      const double mean = tally.score / tally.questions;
      std::printf("%-30s %9d %9.3f\n", name.c_str(), tally.questions, mean);
      kinds[name] = {{"questions", tally.questions}, {"score", mean}};
    }
    const Json report{{"checkpoint", argv[1]},
                      {"folder", argv[2]},
                      {"scenes", end - first},
                      {"kinds", kinds},
                      {"answers", answers}};
    stamp::checkpoint::write_file_atomically(argv[3], std::string_view(report.dump(1)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "evaluate: %s\n", error.what());
    return 1;
  }
}
