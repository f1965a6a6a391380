// SPDX-License-Identifier: Apache-2.0
// Attention over a mask policy: softmax(scale·q·kᵀ)·v, a tile of queries of one head at a time.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <stamp/ops/mask.hpp>
#include <stamp/reference/matmul.hpp>
#include <vector>

namespace stamp::reference {

namespace detail {

/// One head of [Rows, Heads, HeadDim] as a widened dense matrix [Rows, HeadDim].
template <Element T, Axis R, Axis H, Axis D>
[[nodiscard]] RowMajor<Accumulator<T>> head_of(View<const T, R, H, D> x, Index head, Index first,
                                               Index count) {
  RowMajor<Accumulator<T>> dense(count, x.extents()[2]);
  for (Index row = 0; row < count; ++row) {
    const T* const from = x.data() + (first + row) * x.stride() + head * x.extents()[2];
    for (Index at = 0; at < x.extents()[2]; ++at) dense(row, at) = widen(from[at]);
  }
  return dense;
}

/// Softmax over the visible entries of one row of scores; invisible ones become zero.
template <class Row>
void softmax(Row row, const Visible& visible) {
  using Number = typename Row::Scalar;
  const auto over = [&](const auto& body) {
    for (const KeyRange range : {visible.history, visible.own}) {
      for (Index key = range.begin; key < range.end; ++key) body(row[key]);
    }
  };
  Number largest = -std::numeric_limits<Number>::infinity();
  over([&](Number& score) { largest = std::max(largest, score); });
  Number sum = 0;
  over([&](Number& score) { sum += score = std::exp(score - largest); });
  over([&](Number& score) { score /= sum; });
  for (Index key = 0; key < row.size(); ++key) {
    if (!visible.sees(key)) row[key] = 0;
  }
}

}  // namespace detail

/// requirement::HasAttend
template <Element T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask) {
  using Number = Accumulator<T>;
  check_same_shape("attend query", y, query);
  check_same_shape("attend value", key, value);
  check_extent("attend key", y.template axis_at<2>(), key.template axis_at<2>());
  const Index heads = y.extents()[1];
  const Index kv_heads = key.extents()[1];
  if (kv_heads == 0 || heads % kv_heads != 0) {
    fail(Fault::usage, "attend: expected Heads to divide by KvHeads, found " + describe(y) +
                           " and " + describe(key));
  }
  const Index key_count = key.extents()[0];
  const Index row_count = y.extents()[0];
  constexpr Index tile = 64;
  const Index tiles = (row_count + tile - 1) / tile;

  // Keys and values are widened once a head; then every tile of every query head is a task.
  std::vector<detail::RowMajor<Number>> keys(static_cast<std::size_t>(kv_heads));
  std::vector<detail::RowMajor<Number>> values(static_cast<std::size_t>(kv_heads));
  for (Index head = 0; head < kv_heads; ++head) {
    keys[static_cast<std::size_t>(head)] = detail::head_of(key, head, 0, key_count);
    values[static_cast<std::size_t>(head)] = detail::head_of(value, head, 0, key_count);
  }
  engine.threads().for_each(heads * tiles, [&](Index task) {
    const Index head = task / tiles;
    const auto kv_head = static_cast<std::size_t>(head / (heads / kv_heads));
    const Index first = task % tiles * tile;
    const Index count = std::min(tile, row_count - first);
    detail::RowMajor<Number> scores(count, key_count);
    scores.noalias() = detail::head_of(View<const T, R, H, D>(query), head, first, count) *
                       keys[kv_head].transpose();
    scores *= static_cast<Number>(scale);
    for (Index row = 0; row < count; ++row) {
      detail::softmax(scores.row(row), mask.visible(first + row));
    }
    const detail::RowMajor<Number> result = scores * values[kv_head];
    for (Index row = 0; row < count; ++row) {
      T* const to = y.data() + (first + row) * y.stride() + head * y.extents()[2];
      for (Index d = 0; d < y.extents()[2]; ++d) to[d] = narrow<T>(result(row, d));
    }
  });
}

}  // namespace stamp::reference
