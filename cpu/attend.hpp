// SPDX-License-Identifier: Apache-2.0
// Attention over a mask policy. Many queries: keys and values are packed once a head, tasks are
// blocks of queries of one head, and no score matrix is ever made. Few queries: the cache is
// streamed once, and shares of it are combined in a fixed order.
#pragma once

#include <stamp/cpu/matmul.hpp>
#include <stamp/ops/check_attention.hpp>
#include <stamp/ops/relative_position.hpp>

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

/// Scores of bytes only where heads are wide enough to be spread, and not in SAM's encoder, whose
/// scores depend on positions.
inline const AttentionKernels& attention_kernels(Engine& engine, Index dim, bool biased) {
  const Kernels& k = engine.kernels();
  if (engine.compute() == Compute::fp32) return k.attend_fp32;
  const bool bytes =
      engine.compute() == Compute::int8 && dim >= spread_block && dim <= most_byte_dim && !biased;
  return bytes ? k.attend_int8 : k.attend_bf16;
}

/// Many queries. `bias` may be null.
inline void tiled_attention(Engine& engine, ErasedHeads<float> y, ErasedHeads<const float> query,
                            ErasedHeads<const float> key, ErasedHeads<const float> value,
                            float scale, const Visible* visible,
                            const RelativePosition<float>* bias = nullptr) {
  const auto frame = engine.frame();
  const AttentionKernels& k = attention_kernels(engine, y.dim, bias != nullptr);
  const Index words = round_up((key.dim + k.key_numbers - 1) / k.key_numbers, k.word_step);
  const Index key_words = round_up(key.rows, panel_width) * (words + k.panel_notes);
  const Index value_words =
      round_up(key.rows, attend_keys) / k.value_numbers * round_up(key.dim, word_block);
  auto* const keys = engine.arena().allocate<std::uint32_t>(key.heads * key_words);
  auto* const values = engine.arena().allocate<std::uint32_t>(key.heads * value_words);
  const Index row_words = key_scratch(key.dim, words);
  auto* const rows = engine.arena().allocate<std::uint32_t>(engine.pool().count() * row_words);
  engine.pool().run(2 * key.heads, 2 * key.heads * key.rows * key.dim,
                    [&](Index task, Index thread) {
                      const Index head = task / 2;
                      if (task % 2 == 0) {
                        k.pack_keys(keys + head * key_words, key.data + head * key.dim, key.stride,
                                    key.rows, key.dim, words, rows + thread * row_words);
                      } else {
                        k.pack_values(values + head * value_words, value.data + head * key.dim,
                                      value.stride, key.rows, key.dim);
                      }
                    });
  const Index bytes = attend_scratch(y.dim) + relative_scratch(bias);
  auto* const scratch = engine.arena().allocate<std::byte>(engine.pool().count() * bytes);
  const Index blocks = (y.rows + attend_rows - 1) / attend_rows;
  engine.pool().run(y.heads * blocks, y.heads * y.rows * key.rows * key.dim / 8,
                    [&](Index task, Index thread) {
                      const Index head = task / blocks;
                      const Index first = task % blocks * attend_rows;
                      const Index kv_head = head / (y.heads / key.heads);
                      k.attend({.query = query.data + first * query.stride + head * y.dim,
                                .query_stride = query.stride,
                                .y = y.data + first * y.stride + head * y.dim,
                                .y_stride = y.stride,
                                .visible = visible + first,
                                .key = keys + kv_head * key_words,
                                .value = values + kv_head * value_words,
                                .rows = std::min(attend_rows, y.rows - first),
                                .dim = y.dim,
                                .words = words,
                                .keys = key.rows,
                                .scale = scale,
                                .scratch = scratch + thread * bytes,
                                .bias = bias,
                                .first = first,
                                .head = head});
                    });
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
