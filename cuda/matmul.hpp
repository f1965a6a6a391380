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

/// What a product of x takes along.
template <DeviceElement T, class X, class Norm>
[[nodiscard]] InputNorm<T> checked_input_norm(const X& x, const Norm& norm) {
  check_extent("rms_norm weight", x.template axis_at<1>(),
               norm.weight.view().template axis_at<0>());
  return {norm.weight.view().data(), static_cast<float>(norm.eps)};
}

/// Query, key and value in one kernel; the three matrices are kept alike.
template <DeviceElement T, class Query, class Key, class X, class ToQuery, class ToKey>
void joined_qkv(Engine<T>& engine, const Query& query, const Key& key, const Key& value, const X& x,
                const InputNorm<T>& norm, const ToQuery& to_query, const ToKey& to_key,
                const ToKey& to_value) {
  with_kept<T>(to_query.weight.kept, [&]<class W>() {
    const auto of = [&](const auto& y, const auto& to) {
      return checked_product<W>(y, x, to.weight, checked_bias<T>(to.bias, to.weight.out),
                                Into::store);
    };
    kernel::skinny_products<T, W>(engine.device().stream(), {of(query, to_query), of(key, to_key),
                                                             of(value, to_value), norm});
  });
}

/// inner = silu(gate(x))·up(x) in one kernel; both matrices are kept alike.
template <DeviceElement T, Axis R, Axis H, Axis F>
void joined_swiglu(Engine<T>& engine, View<T, R, F> inner, View<const T, R, H> x,
                   const InputNorm<T>& norm, const Matrix<T, F, H>& gate,
                   const Matrix<T, F, H>& up) {
  with_kept<T>(gate.kept, [&]<class W>() {
    const GateAndUp<W> weights{gate.template numbers<W>(), up.template numbers<W>(),
                               gate.scales.template as<const float>(),
                               up.scales.template as<const float>()};
    kernel::skinny_swiglu<T, W>(engine.device().stream(), erase(inner), erase(x), weights, norm);
  });
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
  detail::joined_qkv<T>(engine, query, key, value, x, {}, to_query, to_key, to_value);
}

/// The same of rms_norm(x) (ops/fused.hpp); with few rows one kernel.
template <DeviceElement T, Axis R, Axis Q, Axis K, class X, class Norm, class ToQuery, class ToKey>
void rms_norm_matmul_qkv(Engine<T>& engine, View<T, R, Q> query, View<T, R, K> key,
                         View<T, R, K> value, const X& x, const Norm& norm, const ToQuery& to_query,
                         const ToKey& to_key, const ToKey& to_value) {
  const Weights kept = to_query.weight.kept;
  if (!joins_norm<T>(query.extents()[0], x.extents()[1]) || to_key.weight.kept != kept ||
      to_value.weight.kept != kept) {
    return stamp::rms_norm_matmul_qkv(engine, query, key, value, x, norm, to_query, to_key,
                                      to_value);
  }
  detail::joined_qkv<T>(engine, query, key, value, x, detail::checked_input_norm<T>(x, norm),
                        to_query, to_key, to_value);
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
    detail::joined_swiglu<T, R, H, F>(engine, inner, input, {}, gate, up);
  } else {
    const auto other = engine.template allocate<T>(y.template axis_at<0>(), up.out);
    matmul(engine, inner, x, gate);
    matmul(engine, other, x, up);
    swiglu(engine, inner, other);
  }
  matmul_add(engine, y, inner, down);
}

/// y += down(silu(gate(x))·up(x)) with x = rms_norm(y) (ops/fused.hpp); with few rows two kernels.
template <DeviceElement T, Axis R, Axis H, Axis F, class Norm>
void rms_norm_swiglu_mlp(Engine<T>& engine, View<T, R, H> y, const Norm& norm,
                         const Matrix<T, F, H>& gate, const Matrix<T, F, H>& up,
                         const Matrix<T, H, F>& down) {
  if (!joins_norm<T>(y.extents()[0], y.extents()[1]) || gate.kept != up.kept) {
    return stamp::rms_norm_swiglu_mlp(engine, y, norm, gate, up, down);
  }
  const auto frame = engine.frame();
  const auto inner = engine.template allocate<T>(y.template axis_at<0>(), gate.out);
  check_extent("swiglu_mlp", gate.in, y.template axis_at<1>());
  check_extent("swiglu_mlp", up.in, gate.in);
  check_extent("swiglu_mlp", up.out, gate.out);
  detail::joined_swiglu<T, R, H, F>(engine, inner, y, detail::checked_input_norm<T>(y, norm), gate,
                                    up);
  matmul_add(engine, y, inner, down);
}

}  // namespace stamp::cuda
