// SPDX-License-Identifier: Apache-2.0
// What every backend's `attend` refuses, in the same words.
#pragma once

#include <algorithm>
#include <stamp/ops/mask.hpp>
#include <stamp/tensor/view.hpp>
#include <string>

namespace stamp {

/// The door of requirement::HasAttend. Throws Error{usage} that names the axis which does not fit.
template <class Y, class Q, class K, class V, Axis R, Axis H, Axis D, Axis S, Axis G>
void check_attention(const View<Y, R, H, D>& y, const View<Q, R, H, D>& query,
                     const View<K, S, G, D>& key, const View<V, S, G, D>& value) {
  check_same_shape("attend query", y, query);
  check_same_shape("attend value", key, value);
  check_extent("attend key", y.template axis_at<2>(), key.template axis_at<2>());
  if (key.extents()[1] == 0 || y.extents()[1] % key.extents()[1] != 0) {
    fail(Fault::usage, "attend: expected Heads to divide by KvHeads, found " + describe(y) +
                           " and " + describe(key));
  }
}

/// Throws Error{usage} when query `row` sees keys that are not there.
inline void check_visible(const Visible& seen, Index row, Index keys) {
  const Index end = std::max(seen.history.end, seen.own.end);
  if (end > keys) {
    fail(Fault::usage, "attend: row " + std::to_string(row) + " sees keys up to " +
                           std::to_string(end) + ", expected at most Keys " + std::to_string(keys));
  }
}

}  // namespace stamp
