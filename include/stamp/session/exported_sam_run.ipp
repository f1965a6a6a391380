// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/exported_sam_run.hpp>.
#pragma once

#include <algorithm>
#include <stamp/session/exported_sam_run.hpp>

namespace stamp {

bool tells_of_sam(const checkpoint::Safetensors& file) {
  return !file.find("input_ids") &&
         std::ranges::any_of(file.entries(), [](const checkpoint::TensorEntry& entry) {
           return entry.name.starts_with("sam.");
         });
}

namespace detail {

/// Where an activation of SAM stands in the computation; what is not known comes last.
[[nodiscard]] inline std::array<Index, 3> computed_by_sam_at(std::string_view name) {
  constexpr std::array<std::string_view, 7> of_image{"sam.pixel_values",
                                                     "sam.image_encoder.patch_embed",
                                                     "sam.image_encoder.blocks.",
                                                     "sam.image_encoder.neck.",
                                                     "sam.image_embeddings",
                                                     "sam.dense_positions",
                                                     "sam.prior"};
  constexpr std::array<std::string_view, 10> of_pass{
      "sparse",   "dense",         "transformer.layers.", "transformer.norm_final_attn",
      "upscaled", "hypernetworks", "iou_prediction_head", "low_res_logits",
      "iou",      "masks"};
  const auto place = [](std::string_view part, const auto& order) {
    const auto found = std::ranges::find_if(
        order, [&](std::string_view prefix) { return part.starts_with(prefix); });
    const bool known = found != order.end();
    return std::pair{found - order.begin(), leading_number(part.substr(known ? found->size() : 0))};
  };
  constexpr std::string_view pass = "sam.pass.";
  if (!name.starts_with(pass)) {
    const auto [part, number] = place(name, of_image);
    return {part, number, 0};
  }
  const Index first = std::ssize(of_image) + 1 + leading_number(name.substr(pass.size()));
  const auto dot = std::min(name.find('.', pass.size()), name.size() - 1);
  const auto [part, number] = place(name.substr(dot + 1), of_pass);
  return {first, part, 2 * number + (name.ends_with(".keys") ? 1 : 0)};
}

/// Throws Error{input} unless the tensor has these extents; -1 stands for any.
inline void check_extents(const Recorded<double>& tensor, std::initializer_list<Index> expected,
                          const std::string& where) {
  const bool good = std::ranges::equal(tensor.shape, expected, [](Index found, Index wanted) {
    return wanted < 0 || found == wanted;
  });
  if (good) return;
  const std::vector<Index> wanted(expected);
  fail(Fault::input, where + ": expected " + to_string(std::span<const Index>(wanted)) +
                         " (-1: any), found " + to_string(std::span<const Index>(tensor.shape)));
}

}  // namespace detail

ExportedSamRun read_exported_sam_run(const std::filesystem::path& path) {
  const checkpoint::Safetensors file{path};
  const std::string where = checkpoint::shown(path) + ": ";
  const auto metadata = [&](const std::string& key, std::initializer_list<std::string_view> known) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) {
      fail(Fault::input, where + "no metadata " + key + ": expected an exported run of SAM");
    }
    if (known.size() > 0 && std::ranges::find(known, found->second) == known.end()) {
      fail(Fault::input, where + key + ": expected " + std::string(*known.begin()) + " or " +
                             std::string(*(known.end() - 1)) + ", found " +
                             checkpoint::printable(found->second));
    }
    return found->second;
  };
  ExportedSamRun run;
  run.type = detail::type_of_run(file);
  run.image = metadata("image", {});
  run.choice = metadata("masks", {"single", "several"}) == "several" ? sam::MaskChoice::several
                                                                     : sam::MaskChoice::single;
  constexpr Index most_passes = 1000;  // the released cascade makes three
  run.cascade.passes = std::min(most_passes, leading_number(metadata("passes", {})));
  run.cascade.prior = metadata("quirks", {"released", "clean"}) == "clean"
                          ? sam::MaskPrior::clean
                          : sam::MaskPrior::released;
  Recorded<double> points{{0, 2}, {}};
  Recorded<double> labels{{0}, {}};
  for (const checkpoint::TensorEntry& entry : file.entries()) {
    auto tensor = detail::recorded(file.view(entry), where + entry.name);
    if (!entry.name.starts_with("prompt.")) {
      run.expected.emplace_back(entry.name, std::move(tensor));
    } else if (entry.name == "prompt.points") {
      detail::check_extents(tensor, {-1, 2}, where + entry.name);
      points = std::move(tensor);
    } else if (entry.name == "prompt.labels") {
      labels = std::move(tensor);
    } else if (entry.name == "prompt.box") {
      detail::check_extents(tensor, {4}, where + entry.name);
      run.box.emplace();
      std::ranges::copy(tensor.values, run.box->begin());
    } else if (entry.name == "prompt.mask") {
      detail::check_extents(tensor, {-1, -1}, where + entry.name);
      run.mask = std::move(tensor.values);
    } else if (entry.name == "prompt.coarse") {
      detail::check_extents(tensor, {-1, -1}, where + entry.name);
      run.coarse = Bitmap{.width = tensor.shape[1], .height = tensor.shape[0]};
      for (const double cell : tensor.values) run.coarse->cells.push_back(cell > 0 ? 1 : 0);
    } else {
      fail(Fault::input,
           where + entry.name + ": expected prompt.points, labels, box, mask or coarse");
    }
  }
  detail::check_extents(labels, {points.shape[0]}, where + "prompt.labels");
  for (std::size_t at = 0; at < labels.values.size(); ++at) {
    run.points.push_back(
        {points.values[2 * at], points.values[2 * at + 1],
         labels.values[at] > 0 ? sam::PointLabel::foreground : sam::PointLabel::background});
  }
  std::ranges::sort(run.expected, {}, [](const auto& named) {
    return std::pair(detail::computed_by_sam_at(named.first), named.first);
  });
  if (run.coarse.has_value() != (run.cascade.passes > 0)) {
    fail(Fault::input, where +
                           "passes: expected prompt.coarse with passes above 0, and neither "
                           "without the other, found " +
                           std::to_string(run.cascade.passes));
  }
  return run;
}

}  // namespace stamp
