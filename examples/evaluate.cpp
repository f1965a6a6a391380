// SPDX-License-Identifier: Apache-2.0
// Measures a checkpoint on a folder of pictures with questions and true masks: mean IoU by kind of
// question, and how often answers without a mask are right. Writes a JSON report; README and model
// card get their tables from it.
//   evaluate CHECKPOINT FOLDER REPORT.json [--dtype int8] [--against fp32]
// --against asks the same questions in a second type, too, and reports how much the masks differ.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <optional>
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

/// Masks of two answers in order; a mask that only one of them has counts as 0.
double mask_agreement(const stamp::Answer& a, const stamp::Answer& b) {
  double sum = 0;
  for (std::size_t at = 0; at < std::min(a.masks.size(), b.masks.size()); ++at) {
    sum += intersection_over_union(a.masks[at].bitmap(), b.masks[at].bitmap());
  }
  return sum / static_cast<double>(std::max(a.masks.size(), b.masks.size()));
}

struct Settings {
  std::string checkpoint;
  fs::path folder;
  fs::path report;
  std::string dtype{name_of(stamp::cpu::best_compute(stamp::cpu::best_isa()))};
  std::string against;
  std::size_t first = 0;
  std::size_t scenes = SIZE_MAX;
};

stamp::Model<stamp::cpu::Backend> load_in(const Settings& s, const std::string& dtype) {
  return stamp::load<stamp::cpu::Backend>(s.checkpoint, {},
                                          stamp::cpu::compute_named(dtype).value());
}

void evaluate(const Settings& s) {
  auto model = load_in(s, s.dtype);
  std::optional<stamp::Model<stamp::cpu::Backend>> other;
  if (!s.against.empty()) other.emplace(load_in(s, s.against));
  constexpr stamp::checkpoint::JsonLimits large{.bytes = std::size_t{64} << 20U};
  const auto scenes = stamp::checkpoint::read_json(s.folder / "questions.json", large)["scenes"];
  const std::size_t end =
      s.first + std::min(scenes.size() - std::min(scenes.size(), s.first), s.scenes);
  std::map<std::string, Tally> tallies;
  Json answers = Json::array();
  for (std::size_t scene = s.first; scene < end; ++scene) {
    const auto image = stamp::read_image(s.folder / scenes[scene]["image"].get<std::string>());
    for (const auto& question : scenes[scene]["questions"]) {
      const auto prompt = question["prompt"].get<std::string>();
      const auto answer = stamp::segment(model, image, prompt, {.max_new_tokens = 48});
      const Json truths = question["masks"];
      const auto score_of = [&](const stamp::Answer& found) {
        return truths.empty() ? word_score(found, question["answer"].get<std::string>())
                              : mask_score(found, truths, s.folder);
      };
      const double score = score_of(answer);
      const auto add = [&](const std::string& name, double value) {
        tallies[name].questions += 1;
        tallies[name].score += value;
      };
      const auto kind = question["kind"].get<std::string>();
      add(kind, score);
      add(truths.empty() ? "all without masks" : "all with masks", score);
      if (question.contains("pair") && !truths.empty()) add("nothing, its positive twins", score);
      if (other) {
        const auto same = stamp::segment(*other, image, prompt, {.max_new_tokens = 48});
        add("in " + s.against + (truths.empty() ? ": all without masks" : ": all with masks"),
            score_of(same));
        add("same words as in " + s.against, answer.text == same.text ? 1 : 0);
        if (!answer.masks.empty() || !same.masks.empty()) {
          add("masks against those in " + s.against, mask_agreement(answer, same));
        }
      }
      answers.push_back({{"image", scenes[scene]["image"]},
                         {"prompt", prompt},
                         {"kind", kind},
                         {"text", answer.text},
                         {"score", score}});
    }
    if (isatty(STDERR_FILENO) == 1) {
      std::fprintf(stderr, "\r%zu of %zu scenes", scene + 1 - s.first, end - s.first);
    }
  }
  Json kinds = Json::object();
  std::printf("\n%-34s %9s %9s\n", "kind", "questions", "score");
  for (const auto& [name, tally] : tallies) {
    const double mean = tally.score / tally.questions;
    std::printf("%-34s %9d %9.3f\n", name.c_str(), tally.questions, mean);
    kinds[name] = {{"questions", tally.questions}, {"score", mean}};
  }
  const Json report{{"checkpoint", s.checkpoint},
                    {"folder", s.folder.string()},
                    {"dtype", s.dtype},
                    {"scenes", end - s.first},
                    {"kinds", kinds},
                    {"answers", answers}};
  stamp::checkpoint::write_file_atomically(s.report, std::string_view(report.dump(1)));
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app("Measures a checkpoint on pictures with questions and true masks.");
  app.add_option("checkpoint", s.checkpoint)->required();
  app.add_option("folder", s.folder, "questions.json and its pictures")->required();
  app.add_option("report", s.report, "JSON, written")->required();
  const CLI::IsMember types({"fp32", "bf16", "int8"});
  app.add_option("--dtype", s.dtype, "default: the processor's best")->check(types);
  app.add_option("--against", s.against, "a second type to compare masks with")->check(types);
  app.add_option("--first", s.first, "first scene");
  app.add_option("--scenes", s.scenes, "how many scenes");
  CLI11_PARSE(app, argc, argv);
  try {
    evaluate(s);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "evaluate: %s\n", error.what());
    return 1;
  }
}
