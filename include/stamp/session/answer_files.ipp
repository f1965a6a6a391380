// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/answer_files.hpp>.
#pragma once

#include <nlohmann/json.hpp>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/image/overlay.hpp>
#include <stamp/image/run_length.hpp>
#include <stamp/image/write.hpp>
#include <stamp/session/answer_files.hpp>
#include <stamp/session/staging.hpp>

namespace stamp {

nlohmann::ordered_json answer_json(const Answer& answer, const RunFacts& facts) {
  using Json = nlohmann::ordered_json;
  Json masks = Json::array();
  for (const Mask& mask : answer.masks) {
    const RunLength runs = encode_run_length(mask.picture);
    masks.push_back(
        {{"index", mask.index},
         {"label", mask.label ? Json(*mask.label) : Json(nullptr)},
         {"token_index", mask.token_index},
         {"grid", {mask.rows, mask.columns}},
         {"area", mask.area},
         {"bbox", mask.bbox},
         {"score", mask.score},
         {"segmentation", {{"size", {runs.height, runs.width}}, {"counts", runs.counts}}},
         {"file", mask_file(mask.index)},
         {"refined_file", mask.refined ? Json(refined_file(mask.index)) : Json(nullptr)}});
  }
  const Timings& t = answer.timings;
  return {{"version", 1},
          {"image",
           {{"path", facts.image},
            {"width", answer.width},
            {"height", answer.height},
            {"resized_width", answer.resized_width},
            {"resized_height", answer.resized_height},
            {"grid", {answer.grid.t, answer.grid.h, answer.grid.w}},
            {"orientation", answer.orientation}}},
          {"prompt", facts.prompt},
          {"text", answer.text},
          {"input_ids", answer.input_ids},
          {"output_ids", answer.output_ids},
          {"masks", std::move(masks)},
          {"notes", answer.notes},
          {"timings",
           {{"load", t.load},
            {"image", t.image},
            {"vision", t.vision},
            {"prefill", t.prefill},
            {"decode", t.decode},
            {"mask", t.mask},
            {"refine", t.refine},
            {"total", t.total},
            {"tokens_per_second", t.tokens_per_second}}},
          {"model",
           {{"path", facts.model},
            {"parameters", facts.parameters},
            {"stored_type", facts.stored_type}}},
          {"backend", facts.backend},
          {"dtype", facts.dtype}};
}

std::string write_answer(const std::filesystem::path& folder, const Answer& answer,
                         const Image& image, const RunFacts& facts) {
  std::vector<Bitmap> pictures;  // of the overlay: refined where there is such a mask
  std::vector<checkpoint::NamedTensor> logits;
  for (const Mask& mask : answer.masks) {
    pictures.push_back(mask.refined ? *mask.refined : mask.picture);
    logits.push_back(checkpoint::named("mask." + std::to_string(mask.index) + ".logits",
                                       {mask.rows, mask.columns},
                                       std::span<const float>(mask.logits)));
  }
  // Paths need not be UTF-8, JSON must be.
  const std::string result =
      answer_json(answer, facts).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  Staging staging(folder);
  for (const Mask& mask : answer.masks) {
    checkpoint::write_file_atomically(staging.add(mask_file(mask.index)), encode_png(mask.picture));
    if (!mask.refined) continue;
    checkpoint::write_file_atomically(staging.add(refined_file(mask.index)),
                                      encode_png(*mask.refined));
  }
  checkpoint::write_file_atomically(staging.add(overlay_file),
                                    encode_png(overlay(image, pictures)));
  checkpoint::write_safetensors(staging.add(logits_file), logits);
  checkpoint::write_file_atomically(staging.add(result_file), std::string_view(result));
  staging.commit();
  remove_other_results(folder, staging.names());
  return result;
}

}  // namespace stamp
