// SPDX-License-Identifier: Apache-2.0
// A run that PyTorch made and export_activations.py wrote: its inputs, and what it must give.
#pragma once

#include <filesystem>
#include <stamp/checkpoint/safetensors.hpp>
#include <stamp/session/parity.hpp>
#include <stamp/session/replay.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <string>
#include <vector>

namespace stamp {

/// Inputs, and the expected activations in the order of the computation.
struct ExportedRun {
  ReplayInput input;
  ElementType type = ElementType::float32;  ///< that it was computed in
  std::vector<std::pair<std::string, Recorded<double>>> expected;
};

namespace detail {

/// A stored tensor's numbers, whatever type they have.
[[nodiscard]] Recorded<double> recorded(const StoredTensor& stored, const std::string& where);

/// The type that a file's run was computed in: what its metadata say, else of its widest tensor.
[[nodiscard]] ElementType type_of_run(const checkpoint::Safetensors& file);

}  // namespace detail

/// Reads an activations file. Metadata: prompt_length, mask_positions (text, grid), and where the
/// tensors are wider than what they were computed in, dtype. Throws Error{input} that names the
/// tensor or metadata at fault.
[[nodiscard]] ExportedRun read_exported_run(const std::filesystem::path& path);

/// One row for every expected activation, in the order of the computation.
template <std::floating_point Number>
[[nodiscard]] std::vector<ParityRow> compare_run(const ExportedRun& run,
                                                 const Recording<Number>& recording,
                                                 const qwen2_vl::Config& config,
                                                 Tolerance tolerance) {
  std::vector<ParityRow> rows;
  for (const auto& [name, expected] : run.expected) {
    const auto found = recording.find(name);
    rows.push_back(compare(name, expected, found == recording.end() ? nullptr : &found->second,
                           tolerance,
                           steps_before(name, config.vision.depth, config.text.num_hidden_layers)));
  }
  return rows;
}

}  // namespace stamp
