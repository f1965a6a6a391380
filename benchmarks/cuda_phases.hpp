// SPDX-License-Identifier: Apache-2.0
// The phases of an answer on a GPU, with random weights of any sizes: each for itself, an answer
// from a picture's pixels to a mask of the picture's size, and the next question about it, with and
// without guesses. Beside their times stands the work that they ask for, from which gpu_table.py
// computes floors. And whether the same answer, asked for again and again, has the same bits.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <stamp/image/read.hpp>
#include <stamp/image/write.hpp>
#include <stamp/observe/answer_work.hpp>
#include <stamp/sam.hpp>
#include <stamp/session/picture_steps.hpp>

#include "cuda_timing.hpp"
#include "random_weights.hpp"

namespace stamp::benchmarks {

/// A picture, a prompt around it and an answer. Masks are made for one of the answer's first
/// tokens: which one does not change what is to be done.
struct AskedAnswer {
  std::uint32_t side = 1200;  ///< of the picture; `size.grid` decides how it is resized
  AnswerSize size{};
  Index answer = 40;  ///< tokens of an answer that is timed as a whole
  int runs = 5;
  cuda::Weights weights = cuda::Weights::full;  ///< what the engine was asked to keep
};

/// Seconds of each phase, run by run.
class Laps {
 public:
  explicit Laps(std::string name) : name_(std::move(name)) {}

  void add(const std::string& phase, double seconds) { times_[phase].push_back(seconds); }

  /// One line a phase; `work` says what some of them ask for. Answers that are timed as a whole
  /// have so many words, in so many `passes` of the language model.
  void print(const std::map<std::string, counting::Counts>& work = {}, Index words = 0,
             const std::map<std::string, Index>& passes = {}) {
    for (auto& [phase, times] : times_) {
      std::ranges::sort(times);
      std::printf(R"({"kind": "phase", "name": "%s_%s", "ms": %.4f, "ms_p10": %.4f, )"
                  R"("ms_p90": %.4f)",
                  name_.c_str(), phase.c_str(), times[times.size() / 2] * 1e3, times.front() * 1e3,
                  times.back() * 1e3);
      if (const auto found = work.find(phase); found != work.end()) {
        std::printf(R"(, "operations": %.6g, "bytes": %.6g)", found->second.operations(),
                    found->second.bytes());
      }
      if (const auto found = passes.find(phase); found != passes.end()) {
        std::printf(R"(, "words": %lld, "passes": %lld)", static_cast<long long>(words),
                    static_cast<long long>(found->second));
      }
      std::printf("}\n");
    }
    std::fflush(stdout);
  }

 private:
  std::string name_;
  std::map<std::string, std::vector<double>> times_;
};

/// A square picture: colours that run smoothly, with some texture.
[[nodiscard]] inline Image drawn_picture(std::uint32_t side) {
  Image image{.width = side, .height = side, .pixels = {}};
  for (std::uint32_t y = 0; y < side; ++y) {
    for (std::uint32_t x = 0; x < side; ++x) {
      const std::uint32_t texture = (x * 2654435761U ^ y * 2246822519U) >> 29U;
      for (const std::uint32_t colour : {x / 5, y / 5, (x + y) / 10}) {
        image.pixels.push_back(static_cast<std::uint8_t>(colour + texture));
      }
    }
  }
  return image;
}

/// What an answer says and masks; masks are logits, and pictures of their size.
struct Said {
  std::vector<std::int32_t> words;
  std::vector<float> mask;
  std::vector<std::uint8_t> pixels{};  ///< of all pictures
  std::vector<double> foreground{};    ///< area and sum of probabilities, picture by picture

  [[nodiscard]] bool finite() const {
    return std::ranges::all_of(mask, [](float logit) { return std::isfinite(logit); });
  }
  /// As bytes: a NaN has the bits of itself, and zeros of two signs differ.
  [[nodiscard]] bool same_bits(const Said& other) const {
    const auto equal = []<class Number>(const std::vector<Number>& a,
                                        const std::vector<Number>& b) {
      using Bits = std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t>;
      const auto bits = [](Number number) { return std::bit_cast<Bits>(number); };
      return std::ranges::equal(a, b, {}, bits, bits);
    };
    return words == other.words && pixels == other.pixels && equal(mask, other.mask) &&
           equal(foreground, other.foreground);
  }
};

/// A model of these sizes, and one question about one picture.
class TimedAnswers {
 public:
  TimedAnswers(Engine& engine, std::string name, const qwen2_vl::Config& config, AskedAnswer asked)
      : engine_(engine), name_(std::move(name)), asked_(asked), stamp_(config), laps_(name_) {
    const auto start = Clock::now();
    bind(engine_, stamp_, weights_);
    engine_.device().wait();
    std::printf(R"({"kind": "load", "name": "%s", "ms": %.1f})"
                "\n",
                name_.c_str(), seconds_since(start) * 1e3);
  }

  /// Whether two ways to the same answer gave the same bits, and numbers.
  [[nodiscard]] bool run() {
    std::size_t requests = 0;
    for (run_ = 0; run_ <= asked_.runs; ++run_) {
      phases();
      whole();
      if (run_ == 1) requests = engine_.device().requests();
    }
    laps_.print(work(), asked_.answer, passes_);
    const auto word = [](bool is) { return is ? "true" : "false"; };
    std::printf(R"({"kind": "bits", "name": "%s_graphs_and_plain_launches", "equal": %s, )"
                R"("finite": %s})"
                "\n",
                name_.c_str(), word(equal_), word(finite_));
    std::printf(R"({"kind": "memory", "name": "%s_requests_after_warm_up", "count": %zu})"
                "\n",
                name_.c_str(), engine_.device().requests() - requests);
    std::fflush(stdout);
    return equal_ && finite_;
  }

  /// Whether so many answers about one picture have the bits of the first: what they say, and masks
  /// of one, two and three objects a pass, as logits and as pictures. One line each.
  [[nodiscard]] bool repeat(int runs) {
    constexpr std::array parts{"words", "one_object_a_pass", "two_objects_a_pass",
                               "three_objects_a_pass"};
    const std::array<Said, parts.size()> wanted = answer_again();
    std::array<int, parts.size()> same{};
    for (int run = 0; run < runs; ++run) {
      const auto found = run == 0 ? wanted : answer_again();
      for (std::size_t part = 0; part < parts.size(); ++part) {
        same[part] += found[part].same_bits(wanted[part]) ? 1 : 0;
      }
    }
    bool good = true;
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const bool finite = wanted[part].finite();
      std::printf(R"({"kind": "repeats", "name": "%s_%s", "same": %d, "of": %d, "finite": %s})"
                  "\n",
                  name_.c_str(), parts[part], same[part], runs, finite ? "true" : "false");
      good = good && finite && same[part] == runs;
    }
    std::fflush(stdout);
    return good;
  }

 private:
  static constexpr int first = 4;  ///< steps that come twice are recorded, so these are not timed
  static constexpr Index repeated_words = 10;  ///< the first one plain, then a recording of it

  /// The first run warms up.
  void lap(const std::string& phase, Clock::time_point& start, double parts = 1) {
    engine_.device().wait();
    if (run_ > 0) laps_.add(phase, seconds_since(start) / parts);
    start = Clock::now();
  }

  [[nodiscard]] PicturePatches<Engine> cut(const Image& picture) const {
    const qwen2_vl::VisionConfig& vision = stamp_.config.vision;
    const Index pixels = asked_.size.grid.patches() * vision.patch_size * vision.patch_size;
    return {picture,
            {.min_pixels = pixels,
             .max_pixels = pixels,
             .patch_size = vision.patch_size,
             .temporal_patch_size = vision.temporal_patch_size,
             .merge_size = vision.spatial_merge_size}};
  }

  void look(Dialogue<Engine>& dialogue, const Image& picture) {
    const PicturePatches<Engine> patches = cut(picture);
    const auto write = [&](Engine& to, Activation<Engine, Patches, PatchLength> y) {
      patches.write(to, y, picture);
    };
    dialogue.look(write, std::span(&patches.grid(), 1));
  }

  [[nodiscard]] std::vector<std::int32_t> say(Dialogue<Engine>& dialogue,
                                              const std::vector<float>& scores, Index words) {
    return dialogue.generate_greedily(scores, -1, words, [](std::int32_t) {});
  }

  [[nodiscard]] std::vector<Index> masked(Index objects) const {
    std::vector<Index> tokens;
    for (Index object = 0; object < objects; ++object) tokens.push_back(prompt_size() + 1 - object);
    return tokens;
  }
  [[nodiscard]] std::vector<MaskLogits<float>> masks(Dialogue<Engine>& dialogue, Index objects) {
    return dialogue.segment(masked(objects), MaskPositions::text);
  }
  [[nodiscard]] MaskLogits<float> mask(Dialogue<Engine>& dialogue, Index objects = 1) {
    return std::move(masks(dialogue, objects).front());
  }

  /// As a conversation asks for it: at the picture's size, too.
  std::vector<MaskPicture<float>> picture(Dialogue<Engine>& dialogue, Index objects = 1) {
    const qwen2_vl::PatchGrid& grid = *dialogue.image();
    const Index merge = stamp_.config.vision.spatial_merge_size;
    const auto readout = mask_readout(grid.h / merge, grid.w / merge, picture_.width,
                                      picture_.height, Upsample::bilinear, 0);
    return dialogue.segment(masked(objects), MaskPositions::text, readout);
  }

  /// An answer from the picture on: its words, and masks of one, two and three objects a pass, read
  /// out once as logits and once as pictures.
  [[nodiscard]] std::array<Said, 4> answer_again() {
    Dialogue<Engine> dialogue(engine_, stamp_);
    look(dialogue, picture_);
    std::array<Said, 4> said;
    said[0].words = say(dialogue, dialogue.read(prompt_), repeated_words);
    for (std::size_t objects = 1; objects < said.size(); ++objects) {
      for (const auto& found : masks(dialogue, static_cast<Index>(objects))) {
        said[objects].mask.insert(said[objects].mask.end(), found.values.begin(),
                                  found.values.end());
      }
      for (const auto& found : picture(dialogue, static_cast<Index>(objects))) {
        Said& all = said[objects];
        const std::vector<float>& logits = found.logits.values;
        all.mask.insert(all.mask.end(), logits.begin(), logits.end());
        all.pixels.insert(all.pixels.end(), found.pixels.begin(), found.pixels.end());
        all.foreground.push_back(static_cast<double>(found.foreground.area));
        all.foreground.push_back(found.foreground.probability);
      }
    }
    return said;
  }

  [[nodiscard]] Index prompt_size() const { return std::ssize(prompt_); }

  /// Phase by phase, the device waited for in between.
  void phases() {
    Dialogue<Engine> dialogue(engine_, stamp_);
    engine_.device().wait();
    auto start = Clock::now();
    look(dialogue, picture_);
    lap("vision", start);
    const auto scores = dialogue.read(prompt_);
    lap("prefill", start);
    const auto asked = dialogue.mark();
    std::vector<Said> said;
    for (const bool record : {false, true}) {  // launch by launch, and as graphs
      const std::string how = record ? "" : "_plain";
      engine_.record_steps(record);
      dialogue.rewind(asked);
      (void)say(dialogue, scores, first + 1);
      lap("decode_first_tokens" + how, start, first);
      said.push_back({say(dialogue, scores, asked_.size.words), {}});
      lap("decode_token" + how, start, static_cast<double>(asked_.size.words));
      for (int again = 0; again < first; ++again) (void)mask(dialogue);
      lap("first_mask_passes" + how, start, first);
      const auto found = mask(dialogue);
      lap("mask_pass" + how, start);
      said.back().mask = found.values;
      if (!record) continue;
      (void)picture(dialogue);
      lap("mask_pass_and_picture", start);
      for (int again = 0; again < first; ++again) (void)mask(dialogue, 2);
      start = Clock::now();
      (void)mask(dialogue, 2);
      lap("mask_pass_two_objects", start);
      guess(dialogue);
    }
    equal_ = said[0].same_bits(said[1]) && equal_;
    finite_ = said[0].finite() && said[1].finite() && finite_;
  }

  /// What a pass costs that judges guesses: tokens read together, as a recorded step.
  void guess(Dialogue<Engine>& dialogue) {
    const auto before = dialogue.mark();
    for (const int tokens : {2, 4, 8}) {
      const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 1);
      auto start = Clock::now();
      for (int again = 0; again < 2 * first; ++again) {
        if (again == first) {
          engine_.device().wait();
          start = Clock::now();
        }
        (void)dialogue.read(ids);
        dialogue.rewind(before);
      }
      lap("read_" + std::to_string(tokens) + "_tokens", start, first);
    }
  }

  /// Reading the picture's file, then answers without guesses, with guesses from the dialogue
  /// itself, and with guesses from likely answers that are right.
  void whole() {
    auto start = Clock::now();
    const Image picture =
        read_image(std::span(reinterpret_cast<const std::uint8_t*>(file_.data()), file_.size()));
    lap("picture_file", start);
    constexpr Index most = Dialogue<Engine>::most_guesses;
    const Answers plain = answers(picture, "", 0, {});
    const Answers drafted = answers(picture, "_drafted", most, {});
    const Answers guessed = answers(picture, "_guessed", most, plain);
    equal_ = drafted == plain && guessed == plain && equal_;
  }

  using Answers = std::vector<std::vector<std::int32_t>>;

  /// From a picture's pixels to a mask of its size, and the next question about the picture.
  [[nodiscard]] Answers answers(const Image& picture, const std::string& how, Index drafted,
                                const Answers& likely) {
    auto start = Clock::now();
    Dialogue<Engine> dialogue(engine_, stamp_);
    dialogue.draft(drafted);
    dialogue.expect(likely);
    look(dialogue, picture);
    Answers said;
    said.push_back(say(dialogue, dialogue.read(prompt_), asked_.answer));
    (void)this->picture(dialogue);
    lap("end_to_end" + how, start);
    const Index passes = passes_["end_to_end" + how] = dialogue.decode_passes();
    said.push_back(say(dialogue, dialogue.read(question_), asked_.answer));
    (void)this->picture(dialogue);
    lap("next_question" + how, start);
    passes_["next_question" + how] = dialogue.decode_passes() - passes;
    return said;
  }

  /// Counted in bfloat16, so of codes nothing is said.
  [[nodiscard]] std::map<std::string, counting::Counts> work() const {
    if (asked_.weights != cuda::Weights::full) return {};
    const AnswerWork work = answer_work(stamp_.config, asked_.size);
    return {{"vision", work.vision},
            {"prefill", work.prefill},
            {"decode_token", work.decode},
            {"mask_pass", work.mask}};
  }

  Engine& engine_;
  std::string name_;
  AskedAnswer asked_;
  Stamp<Engine> stamp_;
  SharedWeights weights_{expected_tensors(stamp_)};  // embedding rows are read from here
  Laps laps_;
  std::map<std::string, Index> passes_;
  int run_ = 0;
  bool equal_ = true;
  bool finite_ = true;
  Image picture_ = drawn_picture(asked_.side);
  std::vector<std::byte> file_ = encode_png(picture_);
  std::vector<std::int32_t> prompt_ = asked_.size.prompt(stamp_.config);
  std::vector<std::int32_t> question_ =
      std::vector<std::int32_t>(static_cast<std::size_t>(asked_.size.after), 1);
};

/// A picture into features, and one point through the decoder to a mask of the picture's size.
inline void time_sam(Engine& engine, const std::string& name, const sam::Config& config, int runs) {
  sam::Sam<Engine> sam(config);
  bind(engine, sam, SharedWeights(expected_tensors(sam)));
  sam::Predictor<Engine> predictor(engine, sam);
  const Image image = drawn_picture(1024);
  Laps laps(name);
  for (int run = 0; run <= runs; ++run) {
    engine.device().wait();
    auto start = Clock::now();
    const auto lap = [&](const char* phase) {
      engine.device().wait();
      if (run > 0) laps.add(phase, seconds_since(start));  // the first one warms up
      start = Clock::now();
    };
    predictor.set_image(image);
    lap("image");
    sam::Prompt prompt;
    prompt.points.push_back(predictor.point(500, 375, sam::PointLabel::foreground));
    (void)predictor.predict(prompt, sam::MaskChoice::single);
    lap("prompt");
  }
  laps.print();
}

}  // namespace stamp::benchmarks
