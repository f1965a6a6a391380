// SPDX-License-Identifier: Apache-2.0
// Steps of SAM's windows that a backend may do in one go, written out in the operations that every
// SamBackend has; an engine's own fits better and is taken (ops/fused.hpp).
#pragma once

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

}  // namespace stamp
