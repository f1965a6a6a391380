// SPDX-License-Identifier: Apache-2.0
// Attention over a mask policy: softmax(scale·q·kᵀ)·v, a tile of queries of one head at a time.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stamp/ops/check_attention.hpp>
#include <stamp/ops/relative_position.hpp>
#include <stamp/reference/matmul.hpp>
#include <vector>

namespace stamp::reference {

namespace detail {

/// Rows [first, first + count) of one head as a widened dense matrix [count, HeadDim].
template <Element T>
[[nodiscard]] RowMajor<Accumulator<T>> head_of(ErasedHeads<const T> x, Index head, Index first,
                                               Index count) {
  RowMajor<Accumulator<T>> dense(count, x.dim);
  for (Index row = 0; row < count; ++row) {
    const T* const from = x.data + (first + row) * x.stride + head * x.dim;
    for (Index at = 0; at < x.dim; ++at) dense(row, at) = widen(from[at]);
  }
  return dense;
}

/// The same with rows and columns swapped: [HeadDim, count].
template <Element T>
[[nodiscard]] RowMajor<Accumulator<T>> transposed_head_of(ErasedHeads<const T> x, Index head) {
  RowMajor<Accumulator<T>> dense(x.dim, x.rows);
  for (Index row = 0; row < x.rows; ++row) {
    const T* const from = x.data + row * x.stride + head * x.dim;
    for (Index at = 0; at < x.dim; ++at) dense(at, row) = widen(from[at]);
  }
  return dense;
}

/// Softmax of scale·row + bias(key) over its visible entries; invisible ones become zero.
template <std::floating_point Number, class Bias>
void softmax(Number* row, Index size, Number scale, const Visible& visible, const Bias& bias) {
  const auto over = [&](const auto& body) {
    for (const KeyRange range : {visible.history, visible.own}) {
      for (Index key = range.begin; key < range.end; ++key) body(row[key], key);
    }
  };
  Number largest = -std::numeric_limits<Number>::infinity();
  over([&](Number& score, Index key) {
    score = score * scale + bias(key);
    largest = std::max(largest, score);
  });
  Number sum = 0;
  over([&](Number& score, Index) { sum += score = std::exp(score - largest); });
  over([&](Number& score, Index) { score /= sum; });
  for (Index key = 0; key < size; ++key) {
    if (!visible.sees(key)) row[key] = 0;
  }
}

/// Attention with the mask as a function: one instantiation for all policies. `bias` may be null.
template <Element T>
void attend_heads(Engine<T>& engine, ErasedHeads<T> y, ErasedHeads<const T> query,
                  ErasedHeads<const T> key, ErasedHeads<const T> value, double scale,
                  const std::function<Visible(Index)>& visible,
                  const RelativePosition<T>* bias = nullptr) {
  using Number = Accumulator<T>;
  for (Index row = 0; row < y.rows; ++row) check_visible(visible(row), row, key.rows);
  constexpr Index tile = 64;
  const Index tiles = (y.rows + tile - 1) / tile;

  // Keys and values are widened once a head; then every tile of every query head is a task.
  std::vector<RowMajor<Number>> keys;
  std::vector<RowMajor<Number>> values;
  for (Index head = 0; head < key.heads; ++head) {
    keys.push_back(head_of(key, head, 0, key.rows));
    values.push_back(transposed_head_of(value, head));
  }
  engine.threads().for_each(y.heads * tiles, [&](Index task) {
    const Index head = task / tiles;
    const auto kv_head = static_cast<std::size_t>(head / (y.heads / key.heads));
    const Index first = task % tiles * tile;
    const Index count = std::min(tile, y.rows - first);
    const RowMajor<Number> queries = head_of(query, head, first, count);
    RowMajor<Number> scores;
    multiply_transposed(queries.data(), y.dim, keys[kv_head].data(), count, key.rows, y.dim,
                        scores);
    for (Index row = 0; row < count; ++row) {
      Number* const line = scores.data() + row * key.rows;
      const Visible seen = visible(first + row);
      if (bias == nullptr) {
        softmax(line, key.rows, static_cast<Number>(scale), seen, [](Index) { return Number{0}; });
      } else {
        const T* const vertical = bias->vertical_of(first + row, head);
        const T* const horizontal = bias->horizontal_of(first + row, head);
        softmax(line, key.rows, static_cast<Number>(scale), seen, [&](Index at) {
          return widen(vertical[-(at / bias->width)]) + widen(horizontal[-(at % bias->width)]);
        });
      }
    }
    RowMajor<Number> result;
    multiply_transposed(scores.data(), key.rows, values[kv_head].data(), count, y.dim, key.rows,
                        result);
    for (Index row = 0; row < count; ++row) {
      T* const to = y.data + (first + row) * y.stride + head * y.dim;
      for (Index d = 0; d < y.dim; ++d) to[d] = narrow<T>(result(row, d));
    }
  });
}

}  // namespace detail

/// requirement::HasAttend
template <Element T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask) {
  check_attention(y, query, key, value);
  detail::attend_heads<T>(engine, erase(y), erase(query), erase(key), erase(value), scale,
                          [mask](Index row) { return mask.visible(row); });
}

/// requirement::HasRelativeAttend
template <Element T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Engine<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask,
            const std::type_identity_t<RelativePosition<T>>& bias) {
  check_attention(y, query, key, value);
  check_positions(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  detail::attend_heads<T>(
      engine, erase(y), erase(query), erase(key), erase(value), scale,
      [mask](Index row) { return mask.visible(row); }, &bias);
}

}  // namespace stamp::reference
