// SPDX-License-Identifier: Apache-2.0
// A run of SAM in which nothing is chosen: a picture and a prompt, every named activation.
#pragma once

#include <algorithm>
#include <stamp/session/exported_sam_run.hpp>
#include <stamp/session/sam_model.hpp>

namespace stamp {

/// Throws Error{input} unless the run's masks have the sizes of picture and model: a run that a
/// file tells of may tell anything.
inline void check_replay(const sam::Config& config, const ExportedSamRun& run, const Image& image) {
  if (run.coarse && (run.coarse->width != image.width || run.coarse->height != image.height)) {
    fail(Fault::input,
         "prompt.coarse: expected a mask of the image's " + std::to_string(image.height) +
             " rows of " + std::to_string(image.width) + " pixels, found " +
             std::to_string(run.coarse->height) + " rows of " + std::to_string(run.coarse->width));
  }
  const Index side = config.mask_side();
  const auto logits = std::ssize(run.mask);
  if (logits != 0 && logits != side * side) {
    fail(Fault::input, "prompt.mask: expected " + std::to_string(side) + " x " +
                           std::to_string(side) + " logits, found " + std::to_string(logits));
  }
}

/// Every activation of one exported prompt about `image`. Throws Error{input} for a picture without
/// pixels and a prompt that does not fit picture and model.
template <SamBackend B>
[[nodiscard]] Recording<typename B::Number> replay(SamModel<B>& model, const ExportedSamRun& run,
                                                   const Image& image) {
  using Number = typename B::Number;
  check_replay(model.config(), run, image);
  Recording<Number> recording;
  const Recorder<Number> tap = Recorder<Number>(&recording).within("sam");
  const Index side = model.config().vision.image_size;
  const auto pixels = sam::pixel_values(image, side);
  recording["sam.pixel_values"] = {{side, side, 3}, {pixels.begin(), pixels.end()}};
  sam::Predictor<B> predictor(model.engine(), model.sam());
  predictor.set_image(image, tap);
  sam::Prompt prompt;
  for (const auto& [x, y, label] : run.points) {
    prompt.points.push_back(predictor.point(x, y, label));
  }
  if (run.coarse) {
    (void)sam::cascade_from(predictor, *run.coarse, std::span<const sam::Point>(prompt.points),
                            run.cascade, tap);
    return recording;
  }
  if (const auto& box = run.box) {
    prompt.box = predictor.box((*box)[0], (*box)[1], (*box)[2], (*box)[3]);
  }
  prompt.mask_logits = run.mask;
  (void)predictor.predict(prompt, run.choice, tap.within("pass.0"));
  return recording;
}

/// How many layers' rounding an activation of SAM has been through. A block of the encoder, a norm
/// of the neck, a block of the transformer (two attentions deep, each way), the upscaling and the
/// heads count one each; each pass of a cascade reads what the one before it gave.
[[nodiscard]] inline double steps_before(std::string_view name, const sam::Config& config) {
  const auto encoder = static_cast<double>(config.vision.num_hidden_layers + 3);
  const auto decoder = static_cast<double>(2 * config.decoder.num_hidden_layers + 4);
  if (name.starts_with("sam.image_encoder.blocks.")) {
    return static_cast<double>(leading_number(name.substr(name.rfind('.') + 1))) + 2;
  }
  if (name.starts_with("sam.image_encoder.neck.") || name == "sam.image_embeddings") {
    return encoder;
  }
  constexpr std::string_view pass = "sam.pass.";
  if (!name.starts_with(pass)) return 1;
  const std::string_view rest =
      name.substr(std::min(name.find('.', pass.size()), name.size() - 1) + 1);
  const double before = static_cast<double>(leading_number(name.substr(pass.size()))) * decoder;
  constexpr std::string_view layers = "transformer.layers.";
  if (rest == "sparse") return 1;
  if (rest == "dense") return before + 3;
  if (rest.starts_with(layers)) {
    const Index layer = leading_number(rest.substr(layers.size()));
    return before + encoder + 2 * static_cast<double>(layer + 1);
  }
  return before + encoder + decoder;
}

/// One row for every expected activation, in the order of the computation.
template <std::floating_point Number>
[[nodiscard]] std::vector<ParityRow> compare_run(const ExportedSamRun& run,
                                                 const Recording<Number>& recording,
                                                 const sam::Config& config, Tolerance tolerance) {
  std::vector<ParityRow> rows;
  for (const auto& [name, expected] : run.expected) {
    const auto found = recording.find(name);
    // Pixels and the coarse mask's logits are float32 numbers in a double run, too, as released.
    const bool single = name == "sam.prior" || name == "sam.pixel_values";
    const Tolerance own{std::max(tolerance.relative, tolerance_of(ElementType::float32).relative),
                        std::max(tolerance.absolute, tolerance_of(ElementType::float32).absolute)};
    rows.push_back(compare(name, expected, found == recording.end() ? nullptr : &found->second,
                           single ? own : tolerance, steps_before(name, config)));
  }
  return rows;
}

}  // namespace stamp
