// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: pairs (j, j + HeadDim/2) of each head turn by their row's angle.
#pragma once

#include <stamp/reference/memory.hpp>

namespace stamp::reference {

/// requirement::HasRotate
template <Element T, Axis R, Axis H, Axis D>
void rotate(Engine<T>&, View<T, R, H, D> x, In<Accumulator<T>, R, Pairs> cosine,
            In<Accumulator<T>, R, Pairs> sine) {
  const Index pairs = x.extents()[2] / 2;
  check_extent("rotate", x.template axis_at<0>(), cosine.template axis_at<0>());
  check_extent("rotate", x.template axis_at<0>(), sine.template axis_at<0>());
  check_extent("rotate", Pairs{pairs}, cosine.template axis_at<1>());
  check_extent("rotate", Pairs{pairs}, sine.template axis_at<1>());
  for (Index row = 0; row < x.extents()[0]; ++row) {
    for (Index head = 0; head < x.extents()[1]; ++head) {
      T* const low = x.data() + row * x.stride() + head * x.extents()[2];
      T* const high = low + pairs;
      for (Index at = 0; at < pairs; ++at) {
        const auto c = cosine.data()[row * cosine.stride() + at];
        const auto s = sine.data()[row * sine.stride() + at];
        const auto a = widen(low[at]);
        const auto b = widen(high[at]);
        low[at] = narrow<T>(a * c - b * s);
        high[at] = narrow<T>(b * c + a * s);
      }
    }
  }
}

}  // namespace stamp::reference
