// SPDX-License-Identifier: Apache-2.0
// Attention inside each of SAM's windows (ops/windows.hpp) as one job for the threads.
#pragma once

#include <algorithm>
#include <stamp/cpu/tiled_attention.hpp>
#include <stamp/ops/check_attention.hpp>
#include <stamp/ops/windows.hpp>

namespace stamp::cpu {

/// Attention inside each window: a task packs the keys and values of one head of one window, which
/// then stay in the second-level cache.
template <Axis R, Axis H, Axis D, class Query, class Key, class Value>
void attend_windows(Engine& engine, View<float, R, H, D> y, const Query& query, const Key& key,
                    const Value& value, double scale, const RelativePosition<float>& bias) {
  check_attention(y, query, key, value);
  check_windows(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  const auto frame = engine.frame();
  const auto input = []<class U, Axis... Axes>(const View<U, Axes...>& view) {
    return erase(View<const float, Axes...>(view));
  };
  const Index area = bias.area();
  const Index heads = y.extents()[1];
  const Index dim = y.extents()[2];
  const detail::TiledAttention job{erase(y),
                                   input(query),
                                   input(key),
                                   input(value),
                                   static_cast<float>(scale),
                                   area,
                                   detail::attention_kernels(engine, dim, true)};
  const Index threads = engine.pool().count();
  const Index packed = job.key_words + job.value_words + job.row_words;
  auto* const words = engine.arena().allocate<std::uint32_t>(threads * packed);
  const Index bytes = attend_scratch(dim) + relative_scratch(&bias);
  auto* const scratch = engine.arena().allocate<std::byte>(threads * bytes);
  auto* const visible = engine.arena().allocate<Visible>(attend_rows);
  std::fill(visible, visible + attend_rows, Visible{{0, area}, {0, 0}});
  const Index tasks = y.extents()[0] / area * heads;
  engine.pool().run(tasks, tasks * area * area * dim / 8, [&](Index task, Index thread) {
    const Index window = task / heads;
    const Index head = task % heads;
    std::uint32_t* const keys = words + thread * packed;
    std::uint32_t* const values = keys + job.key_words;
    job.pack_keys(keys, job.kv_head_of(head), window * area, values + job.value_words);
    job.pack_values(values, job.kv_head_of(head), window * area);
    const RelativePosition<float> own = bias.of_map(window);
    for (Index first = 0; first < area; first += attend_rows) {
      job.attend(head, window * area, first, std::min(attend_rows, area - first), visible, keys,
                 values, &own, scratch + thread * bytes);
    }
  });
}

}  // namespace stamp::cpu
