// SPDX-License-Identifier: Apache-2.0
// Measures a checkpoint on a folder of pictures with questions and true masks: mean IoU by kind of
// question, and how often answers without a mask are right. Writes a JSON report; README and model
// card get their tables from it.
//   evaluate CHECKPOINT FOLDER REPORT.json [--dtype int8] [--against fp32] [--refine SAM]
// --against asks the same questions in a second type, too, and reports how much the masks differ.
// --refine sharpens every mask with a SAM, too, and reports IoU and boundary IoU before and after.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/checkpoint/json.hpp>
#include <stamp/cpu.hpp>
#include <stamp/cpu/sam.hpp>
#include <stamp/image/cell_cover.hpp>
#include <stamp/image/overlap.hpp>
#include <vector>

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

/// How well one mask fits its truth.
using Measure = double (*)(const stamp::Bitmap& found, const stamp::Bitmap& truth);

double overlap(const stamp::Bitmap& found, const stamp::Bitmap& truth) {
  return stamp::intersection_over_union(found, truth);
}
double edge_overlap(const stamp::Bitmap& found, const stamp::Bitmap& truth) {
  return stamp::boundary_iou(found, truth);
}

/// A mask of an answer: the refined one where there is one and it is asked for.
const stamp::Bitmap& picture_of(const stamp::Mask& mask, bool refined) {
  return refined && mask.refined ? *mask.refined : mask.picture;
}

std::vector<stamp::Bitmap> read_truths(const Json& files, const fs::path& folder) {
  std::vector<stamp::Bitmap> truths;
  for (const auto& file : files) truths.push_back(read_mask(folder / file.get<std::string>()));
  return truths;
}

/// Masks in order against truths in order; a missing or a surplus mask counts as 0.
double mask_score(const stamp::Answer& answer, const std::vector<stamp::Bitmap>& truths,
                  bool refined = false, Measure measure = overlap) {
  const std::size_t most = std::max(answer.masks.size(), truths.size());
  double sum = 0;
  for (std::size_t at = 0; at < std::min(answer.masks.size(), truths.size()); ++at) {
    sum += measure(picture_of(answer.masks[at], refined), truths[at]);
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
    sum += stamp::intersection_over_union(a.masks[at].bitmap(), b.masks[at].bitmap());
  }
  return sum / static_cast<double>(std::max(a.masks.size(), b.masks.size()));
}

struct Settings {
  std::string checkpoint;
  fs::path folder;
  fs::path report;
  std::string dtype{name_of(stamp::cpu::best_compute(stamp::cpu::best_isa()))};
  std::string against;
  std::string refine;
  std::size_t first = 0;
  std::size_t scenes = SIZE_MAX;
};

stamp::Model<stamp::cpu::Backend> load_in(const Settings& s, const std::string& dtype) {
  return stamp::load<stamp::cpu::Backend>(s.checkpoint, {},
                                          stamp::cpu::compute_named(dtype).value());
}

/// Counts one value under a name.
using Add = std::function<void(const std::string& name, double value)>;

/// Coarse against refined: over whole answers, and over the masks of the thing that was meant, that
/// is, whose coarse mask overlaps its truth by half.
void add_refined(const Add& add, const stamp::Answer& answer,
                 const std::vector<stamp::Bitmap>& truths) {
  add("refined: all with masks", mask_score(answer, truths, true));
  add("boundary: all with masks", mask_score(answer, truths, false, edge_overlap));
  add("boundary, refined: all with masks", mask_score(answer, truths, true, edge_overlap));
  for (std::size_t at = 0; at < std::min(answer.masks.size(), truths.size()); ++at) {
    const stamp::Mask& mask = answer.masks[at];
    const double coarse = overlap(mask.picture, truths[at]);
    if (coarse < 0.5) continue;
    const stamp::Bitmap& refined = picture_of(mask, true);
    add("right thing: masks", coarse);
    add("right thing: masks, refined", overlap(refined, truths[at]));
    add("right thing: boundary", edge_overlap(mask.picture, truths[at]));
    add("right thing: boundary, refined", edge_overlap(refined, truths[at]));
  }
}

/// The same for every true mask of a scene, seen through 400 cells that are covered as it is.
void add_refined_cells(const Add& add, const stamp::MaskRefiner& refiner, const stamp::Image& image,
                       const Json& questions, const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& question : questions) {
    for (const auto& file : question["masks"]) files.insert(file.get<std::string>());
  }
  if (files.empty()) return;
  refiner.look(image);
  for (const auto& file : files) {
    const stamp::Bitmap truth = read_mask(folder / file);
    const stamp::Bitmap coarse = stamp::through_cells(truth, 400);
    const stamp::Bitmap refined = refiner.refine(coarse, 0).mask;
    add("true cells: masks", overlap(coarse, truth));
    add("true cells: masks, refined", overlap(refined, truth));
    add("true cells: boundary", edge_overlap(coarse, truth));
    add("true cells: boundary, refined", edge_overlap(refined, truth));
  }
}

void evaluate(const Settings& s) {
  auto model = load_in(s, s.dtype);
  std::optional<stamp::Model<stamp::cpu::Backend>> other;
  if (!s.against.empty()) other.emplace(load_in(s, s.against));
  std::optional<stamp::SamModel<stamp::cpu::Backend>> sam;
  if (!s.refine.empty()) {
    sam.emplace(stamp::load_sam<stamp::cpu::Backend>(s.refine, stamp::LoadOptions{}.threads,
                                                     stamp::cpu::Compute::fp32));
  }
  const auto refiner = sam ? stamp::sam_refiner(*sam) : stamp::MaskRefiner{};
  constexpr stamp::checkpoint::JsonLimits large{.bytes = std::size_t{64} << 20U};
  const auto scenes = stamp::checkpoint::read_json(s.folder / "questions.json", large)["scenes"];
  const std::size_t end =
      s.first + std::min(scenes.size() - std::min(scenes.size(), s.first), s.scenes);
  std::map<std::string, Tally> tallies;
  const Add add = [&tallies](const std::string& name, double value) {
    tallies[name].questions += 1;
    tallies[name].score += value;
  };
  Json answers = Json::array();
  for (std::size_t scene = s.first; scene < end; ++scene) {
    const auto image = stamp::read_image(s.folder / scenes[scene]["image"].get<std::string>());
    if (sam) add_refined_cells(add, refiner, image, scenes[scene]["questions"], s.folder);
    for (const auto& question : scenes[scene]["questions"]) {
      const auto prompt = question["prompt"].get<std::string>();
      const stamp::SegmentOptions options{.max_new_tokens = 48};
      stamp::Conversation conversation(model);
      conversation.refine_with(refiner);
      conversation.show(image, options);
      const auto answer = conversation.ask(prompt, options);
      const auto truths = read_truths(question["masks"], s.folder);
      const auto score_of = [&](const stamp::Answer& found) {
        return truths.empty() ? word_score(found, question["answer"].get<std::string>())
                              : mask_score(found, truths);
      };
      const double score = score_of(answer);
      const auto kind = question["kind"].get<std::string>();
      add(kind, score);
      add(truths.empty() ? "all without masks" : "all with masks", score);
      if (question.contains("pair") && !truths.empty()) add("nothing, its positive twins", score);
      if (sam && !truths.empty()) add_refined(add, answer, truths);
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
  const Json report{{"checkpoint", s.checkpoint}, {"folder", s.folder.string()}, {"dtype", s.dtype},
                    {"refine", s.refine},         {"scenes", end - s.first},     {"kinds", kinds},
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
  app.add_option("--refine", s.refine, "a SAM checkpoint to sharpen masks with")
      ->check(CLI::ExistingFile);
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
