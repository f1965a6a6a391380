// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/session/replay.hpp>.
#pragma once

#include <stamp/session/replay.hpp>

namespace stamp {

void check_replay(const qwen2_vl::Config& config, const ReplayInput& input) {
  const auto count = static_cast<Index>(input.ids.size());
  if (input.prompt_length < 1 || input.prompt_length > count) {
    fail(Fault::input, "prompt_length: expected 1 to " + std::to_string(count) + ", found " +
                           std::to_string(input.prompt_length));
  }
  for (const std::int32_t id : input.ids) {
    if (id < 0 || id >= config.text.vocab_size) {
      fail(Fault::input, "input_ids: expected ids below " + std::to_string(config.text.vocab_size) +
                             ", found " + std::to_string(id));
    }
  }
  constexpr Index longest = 1 << 16;  // patches along a side, so that products stay in range
  const Index merge = config.vision.spatial_merge_size;
  Index values = 0;
  for (const auto& grid : input.grids) {
    const bool sides = grid.t >= 1 && grid.h >= 1 && grid.w >= 1 && grid.t <= longest &&
                       grid.h <= longest && grid.w <= longest;
    if (!sides || grid.h % merge != 0 || grid.w % merge != 0) {
      fail(Fault::input, "image_grid_thw: expected 1 to " + std::to_string(longest) +
                             " patches a side in multiples of " + std::to_string(merge) +
                             ", found " + std::to_string(grid.t) + ", " + std::to_string(grid.h) +
                             ", " + std::to_string(grid.w));
    }
    values = checked_add(
        values, checked_multiply(grid.patches(), config.vision.patch_length(), "image_grid_thw"),
        "image_grid_thw");
  }
  if (static_cast<Index>(input.pixel_values.size()) != values) {
    fail(Fault::input, "pixel_values: expected " + std::to_string(values) + " values, found " +
                           std::to_string(input.pixel_values.size()));
  }
}

}  // namespace stamp
