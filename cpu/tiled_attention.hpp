// SPDX-License-Identifier: Apache-2.0
// Attention of many queries: keys and values are packed once a head, tasks are blocks of queries of
// one head, and no score matrix is ever made.
#pragma once

#include <algorithm>
#include <stamp/cpu/matmul.hpp>
#include <stamp/ops/relative_position.hpp>

namespace stamp::cpu::detail {

/// Scores of bytes only where heads are wide enough to be spread, and not in SAM's encoder, whose
/// scores depend on positions.
inline const AttentionKernels& attention_kernels(Engine& engine, Index dim, bool biased) {
  const Kernels& k = engine.kernels();
  if (engine.compute() == Compute::fp32) return k.attend_fp32;
  const bool bytes =
      engine.compute() == Compute::int8 && dim >= spread_block && dim <= most_byte_dim && !biased;
  return bytes ? k.attend_int8 : k.attend_bf16;
}

/// The operands of one call. Its rows are one map, whose queries may see all of its keys, or
/// several of `keys` rows each, one after another.
struct TiledAttention {
  ErasedHeads<float> y;
  ErasedHeads<const float> query;
  ErasedHeads<const float> key;
  ErasedHeads<const float> value;
  float scale;
  Index keys;
  const AttentionKernels& k;

  /// Words of a key, of all packed keys of a head, and of its packed values.
  Index words = round_up((key.dim + k.key_numbers - 1) / k.key_numbers, k.word_step);
  Index key_words = round_up(keys, panel_width) * (words + k.panel_notes);
  Index value_words = round_up(keys, attend_keys) / k.value_numbers * round_up(key.dim, word_block);
  /// Words of scratch that packing keys takes.
  Index row_words = key_scratch(key.dim, words);

  [[nodiscard]] Index kv_head_of(Index head) const { return head / (y.heads / key.heads); }

  void pack_keys(std::uint32_t* to, Index kv_head, Index map, std::uint32_t* scratch) const {
    k.pack_keys(to, key.data + map * key.stride + kv_head * key.dim, key.stride, keys, key.dim,
                words, scratch);
  }
  void pack_values(std::uint32_t* to, Index kv_head, Index map) const {
    k.pack_values(to, value.data + map * value.stride + kv_head * key.dim, value.stride, keys,
                  key.dim);
  }
  /// `rows` queries of one head from the first-th of the map that begins at row `map`.
  void attend(Index head, Index map, Index first, Index rows, const Visible* visible,
              const std::uint32_t* packed_keys, const std::uint32_t* packed_values,
              const RelativePosition<float>* bias, std::byte* scratch) const {
    k.attend({.query = query.data + (map + first) * query.stride + head * y.dim,
              .query_stride = query.stride,
              .y = y.data + (map + first) * y.stride + head * y.dim,
              .y_stride = y.stride,
              .visible = visible,
              .key = packed_keys,
              .value = packed_values,
              .rows = rows,
              .dim = y.dim,
              .words = words,
              .keys = keys,
              .scale = scale,
              .scratch = scratch,
              .bias = bias,
              .first = first,
              .head = head});
  }
};

/// Many queries. `bias` may be null.
inline void tiled_attention(Engine& engine, ErasedHeads<float> y, ErasedHeads<const float> query,
                            ErasedHeads<const float> key, ErasedHeads<const float> value,
                            float scale, const Visible* visible,
                            const RelativePosition<float>* bias = nullptr) {
  const auto frame = engine.frame();
  const TiledAttention job{
      y, query, key, value, scale, key.rows, attention_kernels(engine, y.dim, bias != nullptr)};
  const Index threads = engine.pool().count();
  auto* const keys = engine.arena().allocate<std::uint32_t>(key.heads * job.key_words);
  auto* const values = engine.arena().allocate<std::uint32_t>(key.heads * job.value_words);
  auto* const rows = engine.arena().allocate<std::uint32_t>(threads * job.row_words);
  engine.pool().run(
      2 * key.heads, 2 * key.heads * key.rows * key.dim, [&](Index task, Index thread) {
        const Index head = task / 2;
        if (task % 2 == 0) {
          job.pack_keys(keys + head * job.key_words, head, 0, rows + thread * job.row_words);
        } else {
          job.pack_values(values + head * job.value_words, head, 0);
        }
      });
  const Index bytes = attend_scratch(y.dim) + relative_scratch(bias);
  auto* const scratch = engine.arena().allocate<std::byte>(threads * bytes);
  const Index blocks = (y.rows + attend_rows - 1) / attend_rows;
  engine.pool().run(
      y.heads * blocks, y.heads * y.rows * key.rows * key.dim / 8, [&](Index task, Index thread) {
        const Index head = task / blocks;
        const Index first = task % blocks * attend_rows;
        const Index kv_head = job.kv_head_of(head);
        job.attend(head, 0, first, std::min(attend_rows, y.rows - first), visible + first,
                   keys + kv_head * job.key_words, values + kv_head * job.value_words, bias,
                   scratch + thread * bytes);
      });
}

}  // namespace stamp::cpu::detail
