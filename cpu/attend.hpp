// SPDX-License-Identifier: Apache-2.0
// Attention over a mask policy. Many queries go the way of tiled_attention.hpp. Few: the cache is
// streamed once, and shares of it are combined in a fixed order.
#pragma once

#include <algorithm>
#include <stamp/cpu/tiled_attention.hpp>
#include <stamp/ops/check_attention.hpp>

namespace stamp::cpu {

namespace detail {

/// Keys that one task of decode_attention reads.
inline constexpr Index decode_keys = 512;

/// Few queries, one at a time.
inline void decode_attention(Engine& engine, ErasedHeads<float> y, ErasedHeads<const float> query,
                             ErasedHeads<const float> key, ErasedHeads<const float> value,
                             float scale, const Visible* visible) {
  const auto frame = engine.frame();
  const Index group = y.heads / key.heads;
  const Index shares = (key.rows + decode_keys - 1) / decode_keys;
  const Index tasks = key.heads * shares;
  auto* const largest = engine.arena().allocate<float>(y.rows * tasks * group);
  auto* const sums = engine.arena().allocate<float>(y.rows * tasks * group);
  auto* const parts = engine.arena().allocate<float>(y.rows * tasks * group * y.dim);
  auto* const scores = engine.arena().allocate<float>(engine.pool().count() * group * decode_keys);
  // Tasks that follow each other read the same keys, which stay in the cache.
  const Index work = y.rows * y.heads * key.rows * key.dim / 8;
  engine.pool().run(y.rows * tasks, work, [&](Index task, Index thread) {
    const Index row = task % y.rows;
    const Index part = task / y.rows;
    const Index head = part / shares;
    const Index begin = part % shares * decode_keys;
    const Index place = (row * tasks + part) * group;
    engine.kernels().decode({.query = query.data + row * query.stride + head * group * y.dim,
                             .key = key.data + head * y.dim,
                             .value = value.data + head * y.dim,
                             .key_stride = key.stride,
                             .value_stride = value.stride,
                             .heads = group,
                             .dim = y.dim,
                             .visible = visible[row],
                             .keys = {begin, std::min(key.rows, begin + decode_keys)},
                             .scale = scale,
                             .largest = largest + place,
                             .sum = sums + place,
                             .y = parts + place * y.dim,
                             .scores = scores + thread * group * decode_keys});
  });
  for (Index row = 0; row < y.rows; ++row) {
    for (Index head = 0; head < y.heads; ++head) {
      const Index first = row * tasks + head / group * shares;
      const auto at = [&](Index share) { return (first + share) * group + head % group; };
      float most = -INFINITY;
      for (Index share = 0; share < shares; ++share) {
        if (!(largest[at(share)] <= most)) most = largest[at(share)];  // NaN stays
      }
      float* const to = y.data + row * y.stride + head * y.dim;
      std::fill(to, to + y.dim, 0.0F);
      float sum = 0;
      for (Index share = 0; share < shares; ++share) {
        if (largest[at(share)] == -INFINITY) continue;
        const float weight = std::exp(largest[at(share)] - most);
        sum += weight * sums[at(share)];
        const float* const from = parts + at(share) * y.dim;
        for (Index d = 0; d < y.dim; ++d) to[d] += weight * from[d];
      }
      if (sum != 0) {
        for (Index d = 0; d < y.dim; ++d) to[d] /= sum;
      }
    }
  }
}

/// The door of both: all axes checked by name; what each row sees, in the arena.
template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
const Visible* checked_rows(Engine& engine, View<float, R, H, D> y, In<float, R, H, D> query,
                            View<const float, K, KH, D> key, View<const float, K, KH, D> value,
                            Mask mask) {
  check_attention(y, query, key, value);
  const Index rows = y.extents()[0];
  const Index keys = key.extents()[0];
  auto* const visible = engine.arena().template allocate<Visible>(rows);
  for (Index row = 0; row < rows; ++row) {
    visible[row] = mask.visible(row);
    check_visible(visible[row], row, keys);
  }
  return visible;
}

}  // namespace detail

/// requirement::HasAttend
template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine& engine, View<float, R, H, D> y, In<float, R, H, D> query,
            View<const float, K, KH, D> key, View<const float, K, KH, D> value, double scale,
            Mask mask) {
  const auto frame = engine.frame();
  const Visible* const visible = detail::checked_rows(engine, y, query, key, value, mask);
  if (y.extents()[0] <= detail::skinny_rows) {
    detail::decode_attention(engine, erase(y), erase(query), erase(key), erase(value),
                             static_cast<float>(scale), visible);
  } else {
    detail::tiled_attention(engine, erase(y), erase(query), erase(key), erase(value),
                            static_cast<float>(scale), visible);
  }
}

/// requirement::HasRelativeAttend
template <Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine& engine, View<float, R, H, D> y, In<float, R, H, D> query,
            View<const float, K, KH, D> key, View<const float, K, KH, D> value, double scale,
            Mask mask, const RelativePosition<float>& bias) {
  const auto frame = engine.frame();
  const Visible* const visible = detail::checked_rows(engine, y, query, key, value, mask);
  check_positions(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  detail::tiled_attention(engine, erase(y), erase(query), erase(key), erase(value),
                          static_cast<float>(scale), visible, &bias);
}

}  // namespace stamp::cpu
