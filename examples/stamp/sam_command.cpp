// SPDX-License-Identifier: Apache-2.0
// stamp sam: masks from points, a box or a coarse mask; and SAM for segment --refine.
#include <fmt/format.h>
#include <algorithm>

#include <nlohmann/json.hpp>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/image/overlay.hpp>
#include <stamp/image/run_length.hpp>
#include <stamp/image/write.hpp>
#include <stamp/observe/recorder.hpp>
#include <stamp/session/answer_files.hpp>
#include <stamp/session/sam_refiner.hpp>
#include <stamp/session/staging.hpp>

#include "engines.hpp"
#include "inputs.hpp"
#include "sam_parity.hpp"
#include "sam_prompt.hpp"
#include "say.hpp"

namespace stamp::command {
namespace {

/// SAM on the chosen engine. The fast one keeps float32 unless it is told otherwise.
template <class B>
[[nodiscard]] SamModel<B> open_sam(const std::filesystem::path& file, const Choice& choice,
                                   Index threads) {
  if constexpr (std::same_as<B, cpu::Engine>) {
    return load_sam<B>(file, threads, cpu::compute_named(choice.dtype).value());
  } else {
    return load_sam<B>(file, threads);
  }
}

/// What one run gives, whichever way it went.
struct SamMask {
  Bitmap picture;
  double iou = 0;
  bool refined = false;
  std::string note{};
};

template <class B>
[[nodiscard]] std::vector<SamMask> masks_of(const Settings& s, SamModel<B>& model,
                                            const Image& image, const TypedPrompt& typed,
                                            const Bitmap* coarse,
                                            Recording<typename B::Number>* recording) {
  using Number = typename B::Number;
  const Recorder<Number> tap = Recorder<Number>(recording).within("sam");
  sam::Predictor<B> predictor(model.engine(), model.sam());
  predictor.set_image(image, tap);
  sam::Prompt prompt;
  for (const TypedPoint& point : typed.points) {
    prompt.points.push_back(predictor.point(point.x, point.y, point.label));
  }
  if (const auto& box = typed.box) {
    prompt.box = predictor.box((*box)[0], (*box)[1], (*box)[2], (*box)[3]);
  }
  if (s.cascade) {
    const sam::CascadeOptions options{.passes = *s.cascade, .seed = s.seed.value_or(0)};
    auto result = prompt.points.empty()
                      ? sam::cascade(predictor, *coarse, options, tap)
                      : sam::cascade_from(predictor, *coarse,
                                          std::span<const sam::Point>(prompt.points), options, tap);
    return {{std::move(result.mask), result.iou, result.refined, std::move(result.reason)}};
  }
  if (coarse != nullptr) {
    const auto prior =
        sam::prior_logits(*coarse, model.config().mask_side(), sam::MaskPrior::released);
    prompt.mask_logits.assign(prior.begin(), prior.end());
  }
  const auto choice = s.several ? sam::MaskChoice::several : sam::MaskChoice::single;
  const auto prediction = predictor.predict(prompt, choice, tap.within("pass.0"));
  std::vector<SamMask> masks;
  for (std::size_t at = 0; at < prediction.logits.size(); ++at) {
    masks.push_back({sam::bitmap_of<Number>(prediction.logits[at], {image.width, image.height}),
                     static_cast<double>(prediction.low.iou[at]), true, ""});
  }
  return masks;
}

[[nodiscard]] nlohmann::ordered_json result_json(const Settings& s, const Choice& choice,
                                                 const Image& image,
                                                 std::span<const SamMask> masks) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (std::size_t at = 0; at < masks.size(); ++at) {
    const RunLength runs = encode_run_length(masks[at].picture);
    list.push_back(
        {{"index", at},
         {"area", std::ranges::count(masks[at].picture.cells, 1)},
         {"bbox", bounding_box(masks[at].picture)},
         {"iou", masks[at].iou},
         {"segmentation", {{"size", {runs.height, runs.width}}, {"counts", runs.counts}}},
         {"refined", masks[at].refined},
         {"note", masks[at].note},
         {"file", mask_file(static_cast<Index>(at))}});
  }
  return {{"version", 1},
          {"image", {{"path", s.image.string()}, {"width", image.width}, {"height", image.height}}},
          {"masks", std::move(list)},
          {"model", {{"path", s.model->string()}}},
          {"backend", choice.backend},
          {"dtype", choice.dtype}};
}

template <class Number>
void write_activations(const std::filesystem::path& file, const Recording<Number>& recording) {
  std::map<std::string, std::vector<float>> kept;
  std::vector<checkpoint::NamedTensor> tensors;
  for (const auto& [name, recorded] : recording) {
    const auto& numbers = kept[name] = {recorded.values.begin(), recorded.values.end()};
    tensors.push_back(checkpoint::named(name, recorded.shape, std::span<const float>(numbers)));
  }
  checkpoint::write_safetensors(file, tensors);
}

template <class B>
int masks_about(const Settings& s, const Choice& choice, const Image& image,
                const TypedPrompt& typed, const Bitmap* coarse) {
  auto model = open_sam<B>(*s.model, choice, s.threads);
  Recording<typename B::Number> recording;
  const auto masks = masks_of(s, model, image, typed, coarse, s.activations ? &recording : nullptr);
  if (s.activations) write_activations(*s.activations, recording);

  const std::string result = result_json(s, choice, image, masks)
                                 .dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  std::vector<Bitmap> pictures;
  for (const SamMask& mask : masks) pictures.push_back(mask.picture);
  Staging staging(s.out);
  for (std::size_t at = 0; at < masks.size(); ++at) {
    checkpoint::write_file_atomically(staging.add(mask_file(static_cast<Index>(at))),
                                      encode_png(masks[at].picture));
  }
  checkpoint::write_file_atomically(staging.add(overlay_file),
                                    encode_png(overlay(image, pictures)));
  checkpoint::write_file_atomically(staging.add(result_file), std::string_view(result));
  staging.commit();
  remove_other_results(s.out, staging.names());
  for (std::size_t at = 0; at < masks.size(); ++at) {
    if (!masks[at].note.empty()) {
      say("stamp: note: mask {} stays as it was, not refined: {}\n", at, masks[at].note);
    }
    if (s.json) continue;
    fmt::print("mask {}   {} pixels, iou {:.3f}   {}\n", at,
               std::ranges::count(masks[at].picture.cells, 1), masks[at].iou,
               (s.out / mask_file(static_cast<Index>(at))).string());
  }
  if (s.json) fmt::print("{}\n", result);
  return 0;
}

/// Before anything is computed: all of it can be written, and replaces nothing that is read.
[[nodiscard]] MadeFolders check_outputs(const Settings& s) {
  Inputs inputs = inputs_of_sam(*s.model);
  inputs.push_back(s.image);
  if (s.points_file) inputs.push_back(*s.points_file);
  if (s.mask) inputs.push_back(*s.mask);
  if (s.activations) check_beside_results(*s.activations, s.out);
  MadeFolders made = check_output_folder(s.out, inputs);
  if (s.activations) check_output_file(*s.activations, inputs);
  return made;
}

}  // namespace

MaskRefiner open_refiner(const Settings& s, std::string_view backend, Recording<float>* sink) {
  Choice choice{backend, s.dtype.empty() ? "fp32" : std::string_view(s.dtype)};
  MaskRefiner refiner;
  (void)with_engine(choice, [&]<class B>() {
    auto model = std::make_shared<SamModel<B>>(open_sam<B>(*s.refine, choice, s.threads));
    const sam::CascadeOptions options{.seed = s.seed.value_or(0)};
    auto recording = std::make_shared<Recording<typename B::Number>>();
    refiner = sam_refiner(*model, options, sink == nullptr ? nullptr : recording.get());
    refiner.look = [model, look = std::move(refiner.look)](const Image& image) { look(image); };
    if (sink == nullptr) return 0;
    refiner.refine = [recording, sink, refine = std::move(refiner.refine)](const Bitmap& coarse,
                                                                           Index number) {
      auto refined = refine(coarse, number);
      for (const auto& [name, recorded] : *recording) {
        (*sink)[name] = {recorded.shape, {recorded.values.begin(), recorded.values.end()}};
      }
      recording->clear();
      return refined;
    };
    return 0;
  });
  return refiner;
}

std::vector<ParityRow> compare_sam(const Settings& s, const Choice& choice,
                                   const ExportedSamRun& run, const Image& image,
                                   Tolerance tolerance) {
  std::vector<ParityRow> rows;
  (void)with_engine(choice, [&]<class B>() {
    auto model = open_sam<B>(*s.model, choice, s.threads);
    rows = compare_run(run, replay(model, run, image), model.config(), tolerance);
    return 0;
  });
  return rows;
}

int sam_command(const Settings& s) {
  if (s.cascade && !s.mask) {
    fail(Fault::usage, "--cascade: expected a coarse mask to refine, --mask, found none");
  }
  if (s.cascade && (s.box || s.several)) {
    fail(Fault::usage,
         "--cascade: expected points alone beside the mask, found --box or --several");
  }
  if (s.points.empty() && !s.points_file && !s.box && !s.mask) {
    fail(Fault::usage, "prompt: expected --point, --points, --box or --mask, found none");
  }
  require_type_of_sam(s);
  const Choice choice = choose(s, Prefer::exactness);
  const MadeFolders made = check_outputs(s);
  const ReadOptions reading{.exif = s.exif == "ignore" ? Exif::ignore : Exif::apply};
  const Image image = read_image(s.image, reading);
  const auto coarse = typed_mask(s, image, reading);
  const TypedPrompt typed{.points = typed_points(s, image), .box = typed_box(s, image)};
  return with_engine(choice, [&]<class B>() {
    return masks_about<B>(s, choice, image, typed, coarse ? &*coarse : nullptr);
  });
}

}  // namespace stamp::command
