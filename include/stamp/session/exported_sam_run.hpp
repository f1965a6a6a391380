// SPDX-License-Identifier: Apache-2.0
// A prompt that PyTorch's SAM answered and export_sam_activations.py wrote, and what it must give.
#pragma once

#include <array>
#include <filesystem>
#include <stamp/image/image.hpp>
#include <stamp/model/sam/cascade.hpp>
#include <stamp/session/exported_run.hpp>

namespace stamp {

/// One prompt about one picture, and the expected activations in the order of the computation.
struct ExportedSamRun {
  struct At {
    double x = 0;
    double y = 0;
    sam::PointLabel label = sam::PointLabel::foreground;
  };
  ElementType type = ElementType::float32;  ///< that it was computed in
  std::string image{};                      ///< the picture's name; its pixels are not in the file
  std::vector<At> points{};                 ///< in pixels of the picture
  std::optional<std::array<double, 4>> box{};  ///< x0, y0, x1, y1 in pixels of the picture
  std::vector<double> mask{};                  ///< logits [mask_side, mask_side], or none
  std::optional<Bitmap> coarse{};              ///< what a cascade refines
  sam::CascadeOptions cascade{};
  sam::MaskChoice choice = sam::MaskChoice::single;
  std::vector<std::pair<std::string, Recorded<double>>> expected{};
};

/// Whether an activations file tells of SAM alone: it has tensors `sam.…` and no input_ids.
[[nodiscard]] bool tells_of_sam(const checkpoint::Safetensors& file);

/// Reads an activations file of SAM: `sam.*`, the prompt (`prompt.points` [n, 2], `prompt.labels`
/// [n], `prompt.box` [4], `prompt.mask` [side, side], `prompt.coarse` [height, width]) and metadata
/// `image`, `masks` (single, several), `passes` (0: no cascade) and `quirks` (released, clean).
/// Throws Error{input} that names the tensor or metadata at fault.
[[nodiscard]] ExportedSamRun read_exported_sam_run(const std::filesystem::path& path);

}  // namespace stamp
