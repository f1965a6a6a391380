// SPDX-License-Identifier: Apache-2.0
// Products, and the two MLPs with what is fused to them: bias and residual join before the one
// rounding of a product; with few rows gate, up and silu are one kernel. Matrices in codes are
// multiplied as they are with few rows; with more they are widened to bfloat16 panel by panel.
#pragma once

#include <stamp/cuda/activation.hpp>
#include <stamp/cuda/add.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/cuda/panels.hpp>

namespace stamp::cuda {

namespace detail {

/// The door of every product: all axes checked by name.
template <class W, DeviceElement T, Axis R, Axis O, Axis I>
[[nodiscard]] Product<T, W> checked_product(View<T, R, O> y, In<T, R, I> x,
                                            const Matrix<T, O, I>& w, const T* bias, Into into) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.out, y.template axis_at<1>());
  check_extent("matmul", w.in, x.template axis_at<1>());
  return {erase(y), erase(x), w.template numbers<W>(),
          bias,     into,     w.scales.template as<const float>()};
}

/// The whole product with a matrix of codes.
template <DeviceElement T, Code C>
void multiply_codes(Engine<T>& engine, const Product<T, C>& p) {
  const Stream stream = engine.device().stream();
  if (is_skinny(p.y.rows, p.y.columns)) {
    return kernel::skinny_products<T, C>(stream, {p, {}, {}});
  }
  const OutputPanels panels{p.y.columns, p.x.columns};
  const auto frame = engine.frame();
  T* const wide = engine.template allocate<T>(Ffn{panels.height()}, Hidden{p.x.columns}).data();
  for_each_panel(p, panels, [&](const Product<T, C>& part) {
    kernel::widen_rows(stream, {wide, part.y.columns, p.x.columns, p.x.columns}, part.w,
                       part.scales);
    multiply<T>(engine.device(), widened(part, static_cast<const T*>(wide)));
  });
}

template <DeviceElement T, Axis R, Axis O, Axis I>
void product(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<T, O, I>& w,
             const T* bias, Into into) {
  with_kept<T>(w.kept, [&]<class W>() {
    const auto p = checked_product<W, T, R, O, I>(y, x, w, bias, into);
    if constexpr (Code<W>) {
      multiply_codes(engine, p);
    } else {
      multiply<T>(engine.device(), p);
    }
  });
}

template <DeviceElement T, Axis O>
[[nodiscard]] const T* checked_bias(const Kept<T, O>& bias, O out) {
  check_extent("matmul bias", out, bias.view().template axis_at<0>());
  return bias.view().data();
}

}  // namespace detail

/// requirement::HasMatmul, without bias.
template <DeviceElement T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<T, O, I>& w) {
  detail::product<T, R, O, I>(engine, y, x, w, nullptr, Into::store);
}

/// requirement::HasMatmul, with bias.
template <DeviceElement T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<T, O, I>& w,
            const std::type_identity_t<Kept<T, O>>& bias) {
  detail::product<T, R, O, I>(engine, y, x, w, detail::checked_bias<T, O>(bias, w.out),
                              Into::store);
}

/// requirement::HasActivationProduct
template <DeviceElement T, Axis R, Axis O, Axis I>
void matmul(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, View<const T, O, I> w) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.template axis_at<0>(), y.template axis_at<1>());
  check_extent("matmul", w.template axis_at<1>(), x.template axis_at<1>());
  const auto frame = engine.frame();
  const T* dense = w.data();
  if (!w.dense()) {
    const auto copied =
        engine.template allocate<T>(w.template axis_at<0>(), w.template axis_at<1>());
    copy(engine, copied, w);
    dense = copied.data();
  }
  multiply<T>(engine.device(), {erase(y), erase(x), dense, nullptr, Into::store});
}

// The fused steps take x as it comes, like the templates of ops/fused.hpp that they replace: a
// conversion to a view of constant numbers would make those fit better.

/// y += x·Wᵀ (ops/fused.hpp).
template <DeviceElement T, Axis R, Axis O, Axis I, class X>
void matmul_add(Engine<T>& engine, View<T, R, O> y, const X& x, const Matrix<T, O, I>& w) {
  detail::product<T, R, O, I>(engine, y, x, w, nullptr, Into::add);
}

/// y += x·Wᵀ + bias (ops/fused.hpp).
template <DeviceElement T, Axis R, Axis O, Axis I, class X>
void matmul_add(Engine<T>& engine, View<T, R, O> y, const X& x, const Matrix<T, O, I>& w,
                const std::type_identity_t<Kept<T, O>>& bias) {
  detail::product<T, R, O, I>(engine, y, x, w, detail::checked_bias<T, O>(bias, w.out), Into::add);
}

/// Query, key and value (ops/fused.hpp); with few rows one kernel.
template <DeviceElement T, Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(Engine<T>& engine, View<T, R, Q> query, View<T, R, K> key, View<T, R, K> value,
                const X& x, const ToQuery& to_query, const ToKey& to_key, const ToKey& to_value) {
  const Weights kept = to_query.weight.kept;
  if (query.extents()[0] > skinny_rows || to_key.weight.kept != kept ||
      to_value.weight.kept != kept) {
    return stamp::matmul_qkv(engine, query, key, value, x, to_query, to_key, to_value);
  }
  with_kept<T>(kept, [&]<class W>() {
    const auto of = [&](const auto& y, const auto& to) {
      return detail::checked_product<W>(
          y, x, to.weight, detail::checked_bias<T>(to.bias, to.weight.out), Into::store);
    };
    const JoinedProducts<T, W> products{of(query, to_query), of(key, to_key), of(value, to_value)};
    kernel::skinny_products<T, W>(engine.device().stream(), products);
  });
}

/// y += fc2(quick_gelu(fc1(x))) (ops/fused.hpp).
template <DeviceElement T, Axis R, Axis H, Axis F, class X>
void quick_gelu_mlp(Engine<T>& engine, View<T, R, H> y, const X& x, const Matrix<T, F, H>& fc1,
                    const std::type_identity_t<Kept<T, F>>& bias1, const Matrix<T, H, F>& fc2,
                    const std::type_identity_t<Kept<T, H>>& bias2) {
  const auto frame = engine.frame();
  const auto inner = engine.template allocate<T>(y.template axis_at<0>(), fc1.out);
  matmul(engine, inner, x, fc1, bias1);
  quick_gelu(engine, inner);
  matmul_add(engine, y, inner, fc2, bias2);
}

/// y += down(silu(gate(x))·up(x)) (ops/fused.hpp).
template <DeviceElement T, Axis R, Axis H, Axis F, class X>
void swiglu_mlp(Engine<T>& engine, View<T, R, H> y, const X& x, const Matrix<T, F, H>& gate,
                const Matrix<T, F, H>& up, const Matrix<T, H, F>& down) {
  const auto frame = engine.frame();
  const auto inner = engine.template allocate<T>(y.template axis_at<0>(), gate.out);
  check_same_shape("swiglu_mlp", y, x);
  check_extent("swiglu_mlp", gate.in, x.template axis_at<1>());
  check_extent("swiglu_mlp", up.in, gate.in);
  check_extent("swiglu_mlp", up.out, gate.out);
  if (y.extents()[0] <= skinny_rows && gate.kept == up.kept) {
    const In<T, R, H> input = x;
    with_kept<T>(gate.kept, [&]<class W>() {
      kernel::skinny_swiglu<T, W>(engine.device().stream(), erase(inner), erase(input),
                                  gate.template numbers<W>(), up.template numbers<W>(),
                                  gate.scales.template as<const float>(),
                                  up.scales.template as<const float>());
    });
  } else {
    const auto other = engine.template allocate<T>(y.template axis_at<0>(), up.out);
    matmul(engine, inner, x, gate);
    matmul(engine, other, x, up);
    swiglu(engine, inner, other);
  }
  matmul_add(engine, y, inner, down);
}

}  // namespace stamp::cuda
