// SPDX-License-Identifier: Apache-2.0
// A checkpoint folder, opened: weights bound to an engine, tokenizer, image processor, sampling.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stamp/checkpoint/check_tensors.hpp>
#include <stamp/checkpoint/folder.hpp>
#include <stamp/image/patches.hpp>
#include <stamp/model/stamp/model.hpp>
#include <stamp/text/chat_template.hpp>
#include <stamp/text/sampling.hpp>
#include <stamp/text/tokenizer_file.hpp>
#include <thread>
#include <utility>

namespace stamp {

/// How to open a checkpoint.
struct LoadOptions {
  std::optional<std::filesystem::path> base{};  ///< base of a LoRA folder, where the folder's own
                                                ///< base_model_name_or_path does not lead to it
  Index threads = static_cast<Index>(std::thread::hardware_concurrency());
};

/// Everything that answers questions, except the conversation itself. Movable, not copyable;
/// conversations refer to it. One thread at a time.
template <Backend B>
class Model {
 public:
  Model(checkpoint::Checkpoint folder, std::unique_ptr<B> engine, text::Tokenizer tokenizer);

  [[nodiscard]] B& engine() { return *parts_->engine; }
  [[nodiscard]] const Stamp<B>& stamp() const { return *parts_->stamp; }
  [[nodiscard]] const text::Tokenizer& tokenizer() const { return parts_->tokenizer; }
  [[nodiscard]] const text::ControlTokens& control() const { return parts_->control; }
  [[nodiscard]] const checkpoint::Checkpoint& folder() const { return parts_->folder; }
  [[nodiscard]] const qwen2_vl::Config& config() const { return parts_->folder.config; }

  /// What preprocessor_config.json says.
  [[nodiscard]] ImageProcessor image_processor() const {
    const auto& file = parts_->folder.preprocessor;
    ImageProcessor processor;
    processor.min_pixels = file.min_pixels;
    processor.max_pixels = file.max_pixels;
    processor.patch_size = file.patch_size;
    processor.temporal_patch_size = file.temporal_patch_size;
    processor.merge_size = file.merge_size;
    processor.mean = file.image_mean;
    processor.std = file.image_std;
    return processor;
  }

  /// What generation_config.json says; greedy where it says nothing.
  [[nodiscard]] text::Sampling sampling() const {
    const auto& file = parts_->folder.generation;
    text::Sampling sampling;
    sampling.choice = file.do_sample ? text::Choice::sample : text::Choice::greedy;
    sampling.temperature = file.temperature;
    sampling.top_k = file.top_k;
    sampling.top_p = file.top_p;
    sampling.repetition_penalty = file.repetition_penalty;
    return sampling;
  }

 private:
  struct Parts {
    Parts(checkpoint::Checkpoint opened, std::unique_ptr<B> backend, text::Tokenizer words)
        : folder(std::move(opened)),
          engine(std::move(backend)),
          tokenizer(std::move(words)),
          control(text::control_tokens(tokenizer)) {}
    checkpoint::Checkpoint folder;
    std::unique_ptr<B> engine;
    text::Tokenizer tokenizer;
    text::ControlTokens control;
    std::optional<Stamp<B>> stamp;
  };

  /// The tokenizer says what `<|seg|>` and `<|mask|>` are; config.json must agree on image tokens.
  void adopt_tokens() {
    qwen2_vl::Config& config = parts_->folder.config;
    parts_->tokenizer.require_rows(config.text.vocab_size, "the embedding");
    const auto agree = [&](Index& from_config, text::TokenId id, std::string_view name) {
      if (from_config >= 0 && from_config != id) {
        fail(Fault::input, parts_->tokenizer.source() + ": " + std::string(name) +
                               ": expected id " + std::to_string(from_config) +
                               " of config.json, found " + std::to_string(id));
      }
      from_config = id;
    };
    const text::ControlTokens& control = parts_->control;
    agree(config.tokens.image_pad, control.image_pad, "<|image_pad|>");
    agree(config.tokens.vision_start, control.vision_start, "<|vision_start|>");
    agree(config.tokens.vision_end, control.vision_end, "<|vision_end|>");
    config.tokens.im_start = control.im_start;
    config.tokens.im_end = control.im_end;
    config.tokens.seg = parts_->tokenizer.require_added("<|seg|>");
    config.tokens.mask = parts_->tokenizer.require_added("<|mask|>");
  }

  std::unique_ptr<Parts> parts_;
};

// Not inline: a program takes it from the backend's library, where that holds it.
template <Backend B>
Model<B>::Model(checkpoint::Checkpoint folder, std::unique_ptr<B> engine, text::Tokenizer tokenizer)
    : parts_(std::make_unique<Parts>(std::move(folder), std::move(engine), std::move(tokenizer))) {
  adopt_tokens();
  parts_->stamp.emplace(parts_->folder.config);
  checkpoint::check_tensors(config(), expected_tensors(*parts_->stamp), *parts_->folder.weights);
  bind(*parts_->engine, *parts_->stamp, *parts_->folder.weights);
  parts_->folder.weights->check_unchanged();
}

/// Opens a checkpoint folder in Hugging Face layout, or a PEFT LoRA adapter folder over its base.
/// Weights stay in their memory map where the backend can use them there. Throws Error{input}
/// that names the file and the field, tensor or token; Error{resource} when memory is missing.
/// `engine_arguments` follow the number of threads in the engine's constructor, as in
/// load<cpu::Backend>(folder, {}, cpu::Compute::int8).
template <Backend B, class... EngineArguments>
[[nodiscard]] Model<B> load(const std::filesystem::path& folder, const LoadOptions& options = {},
                            EngineArguments... engine_arguments) {
  constexpr auto into = std::same_as<typename B::Element, double> ? checkpoint::MergeInto::float64
                        : std::same_as<typename B::Element, float>
                            ? checkpoint::MergeInto::float32
                            : checkpoint::MergeInto::stored_type;
  auto opened =
      checkpoint::open_checkpoint(folder, options.base.value_or(std::filesystem::path()), into);
  auto tokenizer = text::read_tokenizer(opened.tokenizer_folder);
  return Model<B>(std::move(opened), std::make_unique<B>(options.threads, engine_arguments...),
                  std::move(tokenizer));
}

}  // namespace stamp
