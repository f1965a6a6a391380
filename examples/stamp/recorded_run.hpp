// SPDX-License-Identifier: Apache-2.0
// --activations: every named tensor of a run as a safetensors file.
#pragma once

#include <map>
#include <stamp/checkpoint/safetensors_writer.hpp>
#include <stamp/session/conversation.hpp>
#include <stamp/session/replay.hpp>

#include "settings.hpp"

namespace stamp::command {

/// Runs prompt and answer again as one teacher-forced pass and writes what export_activations.py
/// writes: float32, ids and positions int64, settings as metadata; and what refining recorded.
template <class B>
void write_recorded_run(const std::filesystem::path& file, Model<B>& model, const Image& image,
                        const Answer& answer, const Recording<float>& of_sam,
                        const SegmentOptions& options, const Settings& s, std::string_view dtype) {
  ReplayInput input;
  input.ids = answer.input_ids;
  input.ids.insert(input.ids.end(), answer.output_ids.begin(), answer.output_ids.end());
  input.prompt_length = static_cast<Index>(answer.input_ids.size());
  input.pixel_values = patches(image, processor_for(model, options)).values;
  input.grids = {answer.grid};
  input.mask_positions = options.mask_positions;
  const auto recording = replay(model.engine(), model.stamp(), input);

  // What is written refers to these until it is on disk.
  std::map<std::string, std::vector<float>> numbers;
  std::map<std::string, std::vector<std::int64_t>> integers;
  std::vector<checkpoint::NamedTensor> tensors;
  const auto add_integers = [&](const std::string& name, std::vector<Index> shape,
                                std::vector<std::int64_t> values) {
    const auto& kept = integers[name] = std::move(values);
    tensors.push_back(checkpoint::named(name, std::move(shape), std::span(kept)));
  };
  for (const auto& [name, recorded] : recording) {
    if (name.ends_with("position_ids")) {
      add_integers(name, recorded.shape, {recorded.values.begin(), recorded.values.end()});
      continue;
    }
    const auto& kept = numbers[name] = {recorded.values.begin(), recorded.values.end()};
    tensors.push_back(checkpoint::named(name, recorded.shape, std::span(kept)));
  }
  for (const auto& [name, recorded] : of_sam) {
    tensors.push_back(checkpoint::named(name, recorded.shape, std::span(recorded.values)));
  }
  add_integers("input_ids", {static_cast<Index>(input.ids.size())},
               {input.ids.begin(), input.ids.end()});
  add_integers("image_grid_thw", {1, 3}, {answer.grid.t, answer.grid.h, answer.grid.w});
  tensors.push_back(checkpoint::named("pixel_values",
                                      {answer.grid.patches(), model.config().vision.patch_length()},
                                      std::span<const float>(input.pixel_values)));
  checkpoint::write_safetensors(file, tensors,
                                {{"prompt", s.prompt},
                                 {"prompt_length", std::to_string(input.prompt_length)},
                                 {"mask_positions", s.mask_positions},
                                 {"resize", s.resize},
                                 {"dtype", std::string(dtype)},
                                 {"image", s.image.string()}});
}

}  // namespace stamp::command
