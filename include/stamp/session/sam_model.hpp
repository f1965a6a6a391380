// SPDX-License-Identifier: Apache-2.0
// A SAM checkpoint, opened: its sizes found and its weights bound to an engine.
#pragma once

#include <filesystem>
#include <memory>
#include <stamp/checkpoint/sam_config.hpp>
#include <stamp/checkpoint/sam_weights.hpp>
#include <stamp/sam.hpp>

namespace stamp {

/// The sizes of the model in `weights`: config.json beside the file where there is one, else the
/// published model of its width. Throws Error{input}.
template <WeightSource Source>
[[nodiscard]] sam::Config sam_config_of(const std::filesystem::path& file, const Source& weights) {
  const auto beside = file.parent_path() / "config.json";
  std::error_code ignored;
  if (std::filesystem::exists(beside, ignored)) return checkpoint::read_sam_config(beside);
  const std::string where = checkpoint::shown(file) + ": ";
  const auto positions = weights.find("image_encoder.pos_embed");
  if (!positions || positions->rank != 4) {
    fail(Fault::input, where +
                           "image_encoder.pos_embed: expected (1, rows, columns, width) of a "
                           "SAM checkpoint, the file has " +
                           (positions ? to_string(positions->shape()) : "none"));
  }
  const Index width = positions->extents[3];
  const auto config = sam::published_config(width);
  if (!config) {
    fail(Fault::input, where +
                           "image_encoder.pos_embed: expected width 768, 1024 or 1280 of the "
                           "published models, or a config.json beside the file, found " +
                           std::to_string(width));
  }
  return *config;
}

/// SAM and the engine it runs on. Movable, not copyable; predictors refer to it. One thread at a
/// time.
template <SamBackend B>
class SamModel {
 public:
  /// Opens a `.pth` or a safetensors file with the released names or those of transformers'
  /// SamModel, or the folder that transformers writes. Throws Error{input} that names the file and
  /// the tensor or field, Error{resource} when memory is missing.
  SamModel(const std::filesystem::path& file, std::unique_ptr<B> engine)
      : parts_(std::make_unique<Parts>(checkpoint::sam_file(file), std::move(engine))) {}

  [[nodiscard]] B& engine() { return *parts_->engine; }
  [[nodiscard]] const sam::Sam<B>& sam() const { return parts_->sam; }
  [[nodiscard]] const sam::Config& config() const { return parts_->sam.config; }

 private:
  struct Parts {
    Parts(const std::filesystem::path& file, std::unique_ptr<B> backend)
        : weights(file), engine(std::move(backend)), sam(sam_config_of(file, weights)) {
      checkpoint::require_tensors(expected_tensors(sam), weights, checkpoint::shown(file), "SAM");
      bind(*engine, sam, weights);
    }
    checkpoint::SamWeights weights;
    std::unique_ptr<B> engine;
    sam::Sam<B> sam;
  };
  std::unique_ptr<Parts> parts_;
};

/// Opens a SAM checkpoint. `engine_arguments` follow the number of threads in the engine's
/// constructor, as in load<B>.
template <SamBackend B, class... EngineArguments>
[[nodiscard]] SamModel<B> load_sam(const std::filesystem::path& file, Index threads,
                                   EngineArguments... engine_arguments) {
  return SamModel<B>(file, std::make_unique<B>(threads, engine_arguments...));
}

}  // namespace stamp
