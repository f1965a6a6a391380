// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/exported_run.hpp>.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <stamp/session/exported_run.hpp>

namespace stamp {

namespace detail {

[[nodiscard]] inline std::vector<std::int64_t> integers_of(const StoredTensor& tensor,
                                                           const std::string& where) {
  if (tensor.type != ElementType::int64) {
    fail(Fault::input, where + ": expected I64, found " + std::string(name_of(tensor.type)));
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.size()));
  std::memcpy(values.data(), tensor.data, values.size() * sizeof(std::int64_t));
  return values;
}

Recorded<double> recorded(const StoredTensor& stored, const std::string& where) {
  Recorded<double> tensor{{stored.shape().begin(), stored.shape().end()}, {}};
  if (stored.type == ElementType::int64) {
    for (const auto value : integers_of(stored, where)) {
      tensor.values.push_back(static_cast<double>(value));
    }
  } else {
    tensor.values.resize(static_cast<std::size_t>(stored.size()));
    widen_stored(stored, 0, stored.size(), tensor.values.data());
  }
  return tensor;
}

ElementType type_of_run(const checkpoint::Safetensors& file) {
  bool in_double = false;
  for (const checkpoint::TensorEntry& entry : file.entries()) {
    in_double = in_double || file.view(entry).type == ElementType::float64;
  }
  const auto dtype = file.metadata().find("dtype");
  return computed_in(dtype == file.metadata().end() ? "" : std::string_view(dtype->second),
                     in_double ? ElementType::float64 : ElementType::float32);
}

/// Where an activation stands in the computation, so that the first one that differs is the cause.
[[nodiscard]] inline std::pair<int, Index> computed_at(std::string_view name) {
  const Index number = leading_number(name.substr(name.find_last_not_of("0123456789") + 1));
  if (name == "position_ids") return {0, 0};
  if (name == "vision.patch_embed") return {1, 0};
  if (name.starts_with("vision.blocks.")) return {2, number};
  if (name == "vision.merger") return {3, 0};
  if (name == "language.embeddings") return {4, 0};
  if (name.starts_with("language.layers.")) return {5, number};
  if (name == "language.norm") return {6, 0};
  if (name == "language.logits") return {7, 0};
  constexpr Index unknown = 1'000'000;  // after all masks
  const Index mask = name.starts_with("mask.") ? leading_number(name.substr(5)) : unknown;
  const auto first = static_cast<int>(10 + 10 * mask);
  if (name.ends_with(".position_ids")) return {first, 0};
  if (name.ends_with(".embeddings")) return {first + 1, 0};
  if (name.find(".layers.") != std::string_view::npos) return {first + 2, number};
  if (name.ends_with(".norm")) return {first + 3, 0};
  return {first + 4, 0};
}

}  // namespace detail

ExportedRun read_exported_run(const std::filesystem::path& path) {
  const checkpoint::Safetensors file{path};
  const std::string where = path.string() + ": ";
  const auto tensor = [&](const char* name) {
    const auto found = file.find(name);
    if (!found) fail(Fault::input, where + "no tensor " + name + ": expected an exported run");
    return *found;
  };
  const auto metadata = [&](const std::string& key) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) {
      fail(Fault::input, where + "no metadata " + key + ": expected an exported run");
    }
    return found->second;
  };

  ExportedRun run;
  run.type = detail::type_of_run(file);
  for (const auto id : detail::integers_of(tensor("input_ids"), where + "input_ids")) {
    if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) {
      fail(Fault::input, where + "input_ids: expected token ids, found " + std::to_string(id));
    }
    run.input.ids.push_back(static_cast<std::int32_t>(id));
  }
  run.input.prompt_length = leading_number(metadata("prompt_length"));
  const std::string positions = metadata("mask_positions");
  if (positions != "text" && positions != "grid") {
    fail(Fault::input, where + "mask_positions: expected text or grid, found " +
                           checkpoint::printable(positions));
  }
  run.input.mask_positions = positions == "grid" ? MaskPositions::grid : MaskPositions::text;
  if (file.find("pixel_values")) {
    const auto pixels = tensor("pixel_values");
    run.input.pixel_values.resize(static_cast<std::size_t>(pixels.size()));
    widen_stored(pixels, 0, pixels.size(), run.input.pixel_values.data());
    const auto grid = detail::integers_of(tensor("image_grid_thw"), where + "image_grid_thw");
    for (std::size_t at = 0; at + 2 < grid.size(); at += 3) {
      run.input.grids.push_back({grid[at], grid[at + 1], grid[at + 2]});
    }
  }
  for (const checkpoint::TensorEntry& entry : file.entries()) {
    if (entry.name == "input_ids" || entry.name == "image_grid_thw" ||
        entry.name == "pixel_values") {
      continue;
    }
    run.expected.emplace_back(entry.name, detail::recorded(file.view(entry), where + entry.name));
  }
  std::sort(run.expected.begin(), run.expected.end(), [](const auto& a, const auto& b) {
    return std::pair(detail::computed_at(a.first), a.first) <
           std::pair(detail::computed_at(b.first), b.first);
  });
  return run;
}

}  // namespace stamp
