// SPDX-License-Identifier: Apache-2.0
// Rounds of questions about images: text and pictures in, text and masks out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stamp/image/run_length.hpp>
#include <stamp/model/stamp/dialogue.hpp>
#include <stamp/observe/progress.hpp>
#include <stamp/observe/recorder.hpp>
#include <stamp/session/answer.hpp>
#include <stamp/session/mask_refiner.hpp>
#include <stamp/session/picture_steps.hpp>
#include <stamp/session/weight_faults.hpp>
#include <stamp/text/mask_labels.hpp>

namespace stamp {

/// Settings of one question. The defaults are the released predictor's, except that masks are read
/// out smoothly and special tokens typed by the user are plain text.
struct SegmentOptions {
  std::optional<std::string> response{};  ///< take this as the answer instead of generating one
  std::optional<std::string> system{};    ///< system prompt of the first round
  text::SpecialTokens special_tokens = text::SpecialTokens::as_text;  ///< those in the prompt
  Index max_new_tokens = 1024;
  Index max_masks = 64;                       ///< what an answer asks for beyond that is noted
  std::optional<text::Sampling> sampling{};   ///< default: generation_config.json
  Index draft = 0;                            ///< guessed tokens a pass, Dialogue::draft
  std::vector<std::string> likely_answers{};  ///< guessed first, Dialogue::expect
  Resize resize = Resize::pillow;
  std::optional<Index> min_pixels{};  ///< default: preprocessor_config.json
  std::optional<Index> max_pixels{};
  MaskPositions mask_positions = MaskPositions::text;
  Upsample upsample = Upsample::bilinear;
  double threshold = 0;  ///< foreground where a logit is above
  OnProgress progress{};
};

/// Seconds since it was made or last asked.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// The checkpoint's image processor with what a question changes about it.
template <Backend B>
[[nodiscard]] ImageProcessor processor_for(const Model<B>& model, const SegmentOptions& options) {
  ImageProcessor processor = model.image_processor();
  processor.resize = options.resize;
  if (options.min_pixels) processor.min_pixels = *options.min_pixels;
  if (options.max_pixels) processor.max_pixels = *options.max_pixels;
  return processor;
}

/// Throws Error{input} for a prompt that no conversation takes: empty, or not UTF-8.
inline void check_prompt(std::string_view prompt) {
  if (prompt.empty()) fail(Fault::input, "prompt empty: expected a question, found no text");
  text::require_utf8(prompt, "prompt");
}

/// Keeps the model by reference. The KV cache holds all rounds: a second question about an image
/// costs neither the vision tower nor the first question again.
template <Backend B>
class Conversation {
 public:
  explicit Conversation(Model<B>& model);

  /// The image that the next question is about; masks are made for the last one shown.
  void show(const Image& image, const SegmentOptions& options = {});

  /// From now on every mask is refined, too. What the refiner finds in the image is kept like the
  /// vision features: further questions about it cost neither encoder again.
  void refine_with(MaskRefiner refiner) {
    refiner_ = std::move(refiner);
    refiner_has_seen_ = false;
  }

  /// One round: phase 1 gives the words, phase 2 a mask for every `<|seg|>` of this round. Throws
  /// Error{input} for a prompt that is empty, too long or not UTF-8, before anything is computed.
  /// A weight that is NaN or infinite is Error{input}, too, once it spoils an activation.
  [[nodiscard]] Answer ask(std::string_view prompt, const SegmentOptions& options = {});

  /// The dialogue below, valid as long as the conversation.
  [[nodiscard]] Dialogue<B>& dialogue() { return dialogue_; }

 private:
  using Number = typename B::Number;

  /// Where it throws, the conversation is as it was before.
  [[nodiscard]] Answer answer_or_rewind(std::string_view prompt, const SegmentOptions& options) {
    const auto before = dialogue_.mark();
    try {
      return answer_to(prompt, options);
    } catch (...) {
      dialogue_.rewind(before);
      throw;
    }
  }

  [[nodiscard]] Answer answer_to(std::string_view prompt, const SegmentOptions& options) {
    check_prompt(prompt);
    Stopwatch watch;
    Answer answer = frame_;
    frame_.timings = {};
    std::vector<text::Turn> turns = turns_with(prompt, options);
    const auto ids = text::apply_chat_template(model_.tokenizer(), model_.control(), turns,
                                               text::GenerationPrompt::open);
    check_length(ids.size(), turns, options);
    std::vector<text::TokenId> forced;
    if (options.response) {
      forced =
          model_.tokenizer().encode(*options.response, text::SpecialTokens::as_control, "response");
      forced.push_back(model_.control().im_end);
      check_length(ids.size() + forced.size(), turns, options);
    }
    const std::size_t begin = dialogue_.tokens().size();
    see(answer, options, watch);

    std::vector<text::TokenId> fresh(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
    tell(options, Stage::prefill, 0, static_cast<Index>(fresh.size() + forced.size()));
    fresh.insert(fresh.end(), forced.begin(), forced.end());
    auto scores = dialogue_.read(fresh, static_cast<Index>(fresh.size()) - 1, watch_);
    answer.timings.prefill = watch.lap();
    tell(options, Stage::prefill, static_cast<Index>(fresh.size()),
         static_cast<Index>(fresh.size()));

    if (options.response && place_of_largest(std::span<const Number>(scores)) < 0) {
      fail(Fault::failure, "logits: expected numbers, found others");
    }
    answer.input_ids = ids;
    answer.output_ids = options.response ? forced : generate(std::move(scores), options);
    answer.timings.decode = watch.lap();
    if (!options.response && answer.timings.decode > 0) {
      answer.timings.tokens_per_second =
          static_cast<double>(answer.output_ids.size()) / answer.timings.decode;
    }
    answer.text = words_of(answer.output_ids);
    segment(answer, begin, options, watch);
    refine(answer, options, watch);

    turns.push_back({text::Role::assistant, {text::IdsPart{answer.output_ids}}});
    turns_ = std::move(turns);
    patches_.reset();
    note(answer, options);
    const Timings& t = answer.timings;
    answer.timings.total = t.image + t.vision + t.prefill + t.decode + t.mask + t.refine;
    return answer;
  }

  static void tell(const SegmentOptions& options, Stage stage, Index done, Index total) {
    if (options.progress) options.progress({stage, done, total});
  }

  [[nodiscard]] std::vector<text::Turn> turns_with(std::string_view prompt,
                                                   const SegmentOptions& options) const {
    std::vector<text::Turn> turns = turns_;
    if (turns.empty() && options.system) {
      turns.push_back({text::Role::system, {text::TextPart{*options.system}}});
    }
    text::Turn turn{text::Role::user, {}};
    if (patches_) {
      const Index merged = model_.config().vision.merged_patches();
      turn.parts.emplace_back(text::ImagePart{frame_.grid.patches() / merged});
    }
    turn.parts.emplace_back(text::TextPart{std::string(prompt), options.special_tokens});
    turns.push_back(std::move(turn));
    return turns;
  }

  /// Names the way out where the images alone leave no room for a question.
  void check_length(std::size_t tokens, std::span<const text::Turn> turns,
                    const SegmentOptions& options) const {
    const Index limit = model_.config().text.max_position_embeddings;
    if (static_cast<Index>(tokens) <= limit) return;
    Index of_images = 0;
    for (const text::Turn& turn : turns) {
      for (const auto& part : turn.parts) {
        if (const auto* image = std::get_if<text::ImagePart>(&part)) of_images += image->tokens;
      }
    }
    std::string way_out;
    if (of_images > limit / 2) {
      const bool grown = frame_.width * frame_.height < processor_for(model_, options).min_pixels;
      way_out = ", " + std::to_string(of_images) + " of them for the image: try a smaller " +
                (grown ? "--min-pixels" : "--max-pixels");
    }
    fail(Fault::input, "prompt gives " + std::to_string(tokens) + " tokens, limit " +
                           std::to_string(limit) + way_out);
  }

  /// The vision tower, when an image has been shown since the last question.
  void see(Answer& answer, const SegmentOptions& options, Stopwatch& watch) {
    if (!patches_) return;
    watch.lap();
    tell(options, Stage::vision, 0, 1);
    const auto write = [&](B& engine, Activation<B, Patches, PatchLength> y) {
      patches_->write(engine, y, *shown_);
    };
    dialogue_.look(write, std::span(&frame_.grid, 1), watch_);
    answer.timings.vision = watch.lap();
    tell(options, Stage::vision, 1, 1);
  }

  [[nodiscard]] std::vector<text::TokenId> generate(std::vector<Number> scores,
                                                    const SegmentOptions& options) {
    const text::Sampling sampling = options.sampling ? *options.sampling : model_.sampling();
    text::Sampler sampler(sampling);
    Index said = 0;
    const auto hear = [&](text::TokenId) { tell(options, Stage::decode, ++said, 0); };
    dialogue_.draft(options.draft);
    std::vector<std::vector<text::TokenId>> likely;
    for (const std::string& answer : options.likely_answers) {
      likely.push_back(
          model_.tokenizer().encode(answer, text::SpecialTokens::as_control, "likely answer"));
      likely.back().push_back(model_.control().im_end);
    }
    dialogue_.expect(std::move(likely));
    const text::TokenId stop = model_.control().im_end;
    if (text::picks_the_largest(sampling)) {
      return dialogue_.generate_greedily(std::move(scores), stop, options.max_new_tokens, hear,
                                         watch_);
    }
    const auto pick = [&](std::span<const Scored> kept) { return sampler.next(kept); };
    return dialogue_.generate_among(std::move(scores), sampler.keeps(), stop,
                                    options.max_new_tokens, pick, hear, watch_);
  }

  /// The answer as text: special tokens kept, but for the `<|im_end|>` that ends it.
  [[nodiscard]] std::string words_of(std::span<const text::TokenId> ids) const {
    if (!ids.empty() && ids.back() == model_.control().im_end) ids = ids.first(ids.size() - 1);
    return model_.tokenizer().decode(ids, text::Decoding::keep_special);
  }

  /// Phase 2 for every `<|seg|>` from token `begin` of the dialogue on.
  void segment(Answer& answer, std::size_t begin, const SegmentOptions& options, Stopwatch& watch) {
    const auto seg = static_cast<text::TokenId>(model_.config().tokens.seg);
    std::vector<Index> found;
    const auto tokens = dialogue_.tokens();
    for (std::size_t at = begin; at < tokens.size(); ++at) {
      if (tokens[at] == seg) found.push_back(static_cast<Index>(at));
    }
    if (!dialogue_.image() && !found.empty()) {
      answer.notes.push_back("the answer asks for a mask, but no image has been shown");
      return;
    }
    if (static_cast<Index>(found.size()) > options.max_masks) {
      answer.notes.push_back("the answer asks for " + std::to_string(found.size()) +
                             " masks; the first " + std::to_string(options.max_masks) +
                             " were made");
      found.resize(static_cast<std::size_t>(options.max_masks));
    }
    const auto labels = text::mask_labels(model_.tokenizer(), answer.output_ids, seg);
    const auto first_answer = static_cast<Index>(answer.input_ids.size());
    std::size_t label = 0;
    const auto together = objects_a_pass(answer);
    for (std::size_t first = 0; first < found.size(); first += together) {
      tell(options, Stage::mask, static_cast<Index>(first), static_cast<Index>(found.size()));
      const auto objects =
          std::span<const Index>(found).subspan(first, std::min(together, found.size() - first));
      for (Mask& mask : masks_of(objects, answer, options)) {
        mask.index = static_cast<Index>(answer.masks.size());
        if (mask.token_index >= first_answer && label < labels.size()) mask.label = labels[label++];
        answer.masks.push_back(std::move(mask));
      }
    }
    answer.timings.mask = watch.lap();
    tell(options, Stage::mask, static_cast<Index>(found.size()), static_cast<Index>(found.size()));
  }

  /// Objects whose masks are made in one pass: products of many rows use a machine better, and
  /// their activations take memory. 2,048 mask tokens are two of the largest images.
  [[nodiscard]] std::size_t objects_a_pass(const Answer& answer) const {
    constexpr Index most_rows = 2048;
    const Index cells = answer.grid.patches() / model_.config().vision.merged_patches();
    return static_cast<std::size_t>(std::max<Index>(most_rows / std::max<Index>(cells, 1), 1));
  }

  /// One pass for the `<|seg|>` at these places of the dialogue.
  [[nodiscard]] std::vector<Mask> masks_of(std::span<const Index> objects, const Answer& answer,
                                           const SegmentOptions& options) {
    const auto threshold = static_cast<float>(options.threshold);
    const auto tap = watch_.within("mask");
    const Index width = answer.width;
    const Index height = answer.height;
    std::vector<Mask> masks;
    if constexpr (requirement::HasMaskHead<B>) {
      const Index merge = model_.config().vision.spatial_merge_size;
      const auto readout = mask_readout(answer.grid.h / merge, answer.grid.w / merge, width, height,
                                        options.upsample, threshold);
      for (auto& read : dialogue_.segment(objects, options.mask_positions, readout, tap)) {
        UpsampledMask picture{
            .mask = {.width = width, .height = height, .cells = std::move(read.pixels)},
            .area = read.foreground.area};
        if (picture.area > 0) {
          picture.score = read.foreground.probability / static_cast<double>(picture.area);
        }
        masks.push_back(mask_from(read.logits, std::move(picture)));
      }
    } else {
      for (const auto& read : dialogue_.segment(objects, options.mask_positions, tap)) {
        const std::vector<float> logits(read.values.begin(), read.values.end());
        masks.push_back(mask_from(read, upsample(logits, read.rows, read.columns, width, height,
                                                 options.upsample, threshold)));
      }
    }
    return masks;
  }

  /// Throws Error{failure} where a logit is not finite.
  [[nodiscard]] static Mask mask_from(const MaskLogits<Number>& read, UpsampledMask picture) {
    for (std::size_t at = 0; at < read.values.size(); ++at) {
      if (std::isfinite(read.values[at])) continue;
      fail(Fault::failure, "non-finite after mask.logits: first at index " + std::to_string(at));
    }
    Mask mask;
    mask.token_index = read.token;
    mask.rows = read.rows;
    mask.columns = read.columns;
    mask.logits.assign(read.values.begin(), read.values.end());
    mask.picture = std::move(picture.mask);
    mask.score = picture.score;
    mask.area = picture.area;
    mask.bbox = bounding_box(mask.picture);
    return mask;
  }

  /// Sharper copies of the masks; the image is encoded for them when the first one needs it.
  void refine(Answer& answer, const SegmentOptions& options, Stopwatch& watch) {
    if (!refiner_ || !shown_ || answer.masks.empty()) return;
    watch.lap();
    const auto count = static_cast<Index>(answer.masks.size());
    tell(options, Stage::refine, 0, count);
    for (Mask& mask : answer.masks) {
      const bool empty = mask.area == 0;  // of such a mask nothing can be learned, nor of its image
      if (!empty && !refiner_has_seen_) {
        refiner_.look(*shown_);
        refiner_has_seen_ = true;
      }
      RefinedMask result = empty ? RefinedMask{{}, false, "the coarse mask is empty"}
                                 : refiner_.refine(mask.picture, mask.index);
      if (result.refined) {
        mask.refined = std::move(result.mask);
      } else {
        answer.notes.push_back("mask " + std::to_string(mask.index) +
                               " stays as it was, not refined: " + result.reason);
      }
      tell(options, Stage::refine, mask.index + 1, count);
    }
    answer.timings.refine = watch.lap();
  }

  void note(Answer& answer, const SegmentOptions& options) const {
    if (answer.masks.empty() && answer.notes.empty()) {
      answer.notes.push_back("no mask requested by the answer \"" + answer.text + "\"");
    }
    const bool ended =
        !answer.output_ids.empty() && answer.output_ids.back() == model_.control().im_end;
    if (!ended) {
      answer.notes.push_back("the answer was cut at " + std::to_string(options.max_new_tokens) +
                             (options.max_new_tokens == 1 ? " token" : " tokens") +
                             " (--max-new-tokens)");
    }
  }

  Model<B>& model_;
  Dialogue<B> dialogue_;
  Recorder<Number> watch_;  ///< keeps nothing; names the first activation that is not finite
  std::vector<text::Turn> turns_;
  std::optional<PicturePatches<B>> patches_;  ///< shown, not yet asked about
  Answer frame_;                              ///< what an answer says about the image
  MaskRefiner refiner_;
  std::optional<Image> shown_;  ///< the last image
  bool refiner_has_seen_ = false;
};

// Not inline: a program takes them from the backend's library, where that holds them.

template <Backend B>
Conversation<B>::Conversation(Model<B>& model)
    : model_(model), dialogue_(model.engine(), model.stamp()) {}

template <Backend B>
void Conversation<B>::show(const Image& image, const SegmentOptions& options) {
  Stopwatch watch;
  tell(options, Stage::image, 0, 1);
  patches_.emplace(image, processor_for(model_, options));
  frame_ = {};
  frame_.width = image.width;
  frame_.height = image.height;
  frame_.orientation = image.orientation;
  frame_.resized_width = patches_->resized().width;
  frame_.resized_height = patches_->resized().height;
  frame_.grid = patches_->grid();
  frame_.timings.image = watch.lap();
  shown_ = image;
  refiner_has_seen_ = false;
  tell(options, Stage::image, 1, 1);
}

template <Backend B>
Answer Conversation<B>::ask(std::string_view prompt, const SegmentOptions& options) {
  return naming_bad_weights(model_, [&] {
    watch_.listen(false);
    try {
      return answer_or_rewind(prompt, options);
    } catch (const Error& error) {
      if (error.fault() != Fault::failure) throw;
    }
    // Something is not a number. Once more, and listening, to say where it was first seen.
    watch_.listen(true);
    return answer_or_rewind(prompt, options);
  });
}

/// One image, one question. `image` as from read_image.
template <Backend B>
[[nodiscard]] Answer segment(Model<B>& model, const Image& image, std::string_view prompt,
                             const SegmentOptions& options = {}) {
  Conversation<B> conversation(model);
  conversation.show(image, options);
  return conversation.ask(prompt, options);
}

}  // namespace stamp
