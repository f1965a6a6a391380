// SPDX-License-Identifier: Apache-2.0
// Steps of SAM's windows that a backend may do in one go, written out in the operations that every
// SamBackend has; an engine's own fits better and is taken (ops/fused.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/sam_backend.hpp>
#include <stamp/tensor/reshape.hpp>
#include <string>

namespace stamp {

/// The door of attend_windows: queries and keys are the positions of whole windows.
template <class T>
void check_windows(const RelativePosition<T>& window, Index queries, Index heads, Index keys) {
  const Index area = window.area();
  if (area < 1 || queries % area != 0 || keys != queries || heads != window.heads) {
    fail(Fault::usage, "attend_windows: expected windows of " + std::to_string(area) +
                           " queries and keys of " + std::to_string(window.heads) +
                           " heads, found " + std::to_string(queries) + " and " +
                           std::to_string(keys) + " of " + std::to_string(heads));
  }
}

/// Attention with relative positions (requirement::HasRelativeAttend) inside each of several
/// windows of one size, which stand one after another: the row of a window sees that window. y and
/// query [R, Heads, HeadDim], key and value [R, KvHeads, HeadDim]; `bias` names the numbers of all
/// windows, one after another, and the size of one.
template <SamBackend B, Axis R, Axis H, Axis D, class Query, class Key, class Value>
void attend_windows(B& engine, View<typename B::Element, R, H, D> y, const Query& query,
                    const Key& key, const Value& value, double scale,
                    const RelativePosition<typename B::Element>& bias) {
  const Index area = bias.area();
  check_windows(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  for (Index window = 0; window < y.extents()[0] / area; ++window) {
    const Index first = window * area;
    attend(engine, rows(y, first, area), rows(query, first, area), rows(key, first, area),
           rows(value, first, area), scale, Bidirectional{area}, bias.of_map(window));
  }
}

namespace detail {

/// Row numbers in the engine's memory.
template <SamBackend B, Axis R>
[[nodiscard]] View<const std::int32_t, R> resident_rows(B& engine, R count,
                                                        std::span<const std::int32_t> index) {
  const auto numbers = engine.template allocate<std::int32_t>(count);
  engine.upload(numbers, index);
  return numbers;
}

}  // namespace detail

/// y = layer_norm(x)'s rows `index`, zeros where negative: the norm before a block, on its way into
/// windows. y [S, A], x [R, A], index S numbers below R in host memory; weight, bias and eps as in
/// layer_norm.
template <SamBackend B, Axis S, Axis R, Axis A, class T, class Vector>
void layer_norm_into_windows(B& engine, View<typename B::Element, S, A> y, const View<T, R, A>& x,
                             std::span<const std::int32_t> index, const Vector& weight,
                             const Vector& bias, double eps) {
  const auto frame = engine.frame();
  const auto normal = engine.template allocate<typename B::Element>(x.template axis_at<0>(),
                                                                    x.template axis_at<1>());
  layer_norm(engine, normal, x, weight, bias, eps);
  gather_rows(engine, y, View<const typename B::Element, R, A>(normal),
              detail::resident_rows(engine, y.template axis_at<0>(), index));
}

/// x += z's rows `index`, then y = layer_norm(x): the way back out of windows, the residual and the
/// norm that follows. y and x [R, A], z [S, A], index R numbers below S in host memory.
template <SamBackend B, Axis R, Axis S, Axis A, class T, class Vector>
void add_from_windows_layer_norm(B& engine, View<typename B::Element, R, A> y,
                                 View<typename B::Element, R, A> x, const View<T, S, A>& z,
                                 std::span<const std::int32_t> index, const Vector& weight,
                                 const Vector& bias, double eps) {
  const auto frame = engine.frame();
  const auto back = engine.template allocate<typename B::Element>(x.template axis_at<0>(),
                                                                  x.template axis_at<1>());
  gather_rows(engine, back, View<const typename B::Element, S, A>(z),
              detail::resident_rows(engine, x.template axis_at<0>(), index));
  add_layer_norm(engine, y, x, back, weight, bias, eps);
}

}  // namespace stamp
