// SPDX-License-Identifier: Apache-2.0
// The non-linear functions of Qwen2-VL and SAM, each in place.
#pragma once

#include <cmath>
#include <numbers>
#include <stamp/reference/memory.hpp>

namespace stamp::reference {

namespace detail {
template <std::floating_point Number>
[[nodiscard]] Number sigmoid(Number z) {
  return 1 / (1 + std::exp(-z));
}

/// x = function(x), rows shared among the threads: exp and erf are slow.
template <Element T, Axis R, Axis A, class Function>
void transform(Engine<T>& engine, View<T, R, A> x, const Function& function) {
  engine.threads().for_each(x.extents()[0], [&](Index row) {
    T* const values = x.data() + row * x.stride();
    for (Index at = 0; at < x.extents()[1]; ++at) {
      values[at] = narrow<T>(function(widen(values[at])));
    }
  });
}
}  // namespace detail

/// requirement::HasQuickGelu
template <Element T, Axis R, Axis A>
void quick_gelu(Engine<T>& engine, View<T, R, A> x) {
  using Number = Accumulator<T>;
  detail::transform(engine, x,
                    [](Number z) { return z * detail::sigmoid(static_cast<Number>(1.702) * z); });
}

/// requirement::HasGelu
template <Element T, Axis R, Axis A>
void gelu(Engine<T>& engine, View<T, R, A> x) {
  using Number = Accumulator<T>;
  detail::transform(engine, x, [](Number z) {
    return z * static_cast<Number>(0.5) * (1 + std::erf(z * (1 / std::numbers::sqrt2_v<Number>)));
  });
}

/// requirement::HasRelu; NaN stays NaN.
template <Element T, Axis R, Axis A>
void relu(Engine<T>& engine, View<T, R, A> x) {
  using Number = Accumulator<T>;
  detail::transform(engine, x, [](Number z) { return z < 0 ? Number{0} : z; });
}

/// requirement::HasSwiglu
template <Element T, Axis R, Axis A>
void swiglu(Engine<T>& engine, View<T, R, A> gate, In<T, R, A> up) {
  check_same_shape("swiglu", gate, up);
  engine.threads().for_each(gate.extents()[0], [&](Index row) {
    T* const to = gate.data() + row * gate.stride();
    const T* const other = up.data() + row * up.stride();
    for (Index at = 0; at < gate.extents()[1]; ++at) {
      const auto z = widen(to[at]);
      to[at] = narrow<T>(widen(narrow<T>(z * detail::sigmoid(z))) * widen(other[at]));
    }
  });
}

}  // namespace stamp::reference
