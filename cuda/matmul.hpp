// SPDX-License-Identifier: Apache-2.0
// Products, and the two MLPs with what is fused to them: bias and residual join before the one
// rounding of a product; with few rows gate, up and silu are one kernel. With more rows query, key
// and value are one product, gate and up another, whose weights were bound behind one another.
// Matrices in codes are multiplied as they are with few rows; with more they are widened to
// bfloat16 panel by panel.
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

template <DeviceElement T, class W>
void multiply_kept(Engine<T>& engine, const Product<T, W>& p) {
  if constexpr (Code<W>) {
    multiply_codes(engine, p);
  } else {
    multiply<T>(engine.device(), p);
  }
}

template <DeviceElement T, Axis R, Axis O, Axis I>
void product(Engine<T>& engine, View<T, R, O> y, In<T, R, I> x, const Matrix<T, O, I>& w,
             const T* bias, Into into) {
  with_kept<T>(w.kept, [&]<class W>() {
    multiply_kept(engine, checked_product<W, T, R, O, I>(y, x, w, bias, into));
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

/// Query, key and value; the three matrices are kept alike. With few rows they are one kernel, with
/// more one product where all of them lies side by side.
template <DeviceElement T, class Query, class Key, class X, class ToQuery, class ToKey>
void joined_qkv(Engine<T>& engine, const Query& query, const Key& key, const Key& value, const X& x,
                const InputNorm<T>& norm, const ToQuery& to_query, const ToKey& to_key,
                const ToKey& to_value) {
  with_kept<T>(to_query.weight.kept, [&]<class W>() {
    const auto of = [&](const auto& y, const auto& to) {
      return checked_product<W>(y, x, to.weight, checked_bias<T>(to.bias, to.weight.out),
                                Into::store);
    };
    Product<T, W> all = of(query, to_query);
    const Product<T, W> second = of(key, to_key);
    const Product<T, W> third = of(value, to_value);
    if (all.y.rows <= skinny_rows) {
      return kernel::skinny_products<T, W>(engine.device().stream(), {all, second, third, norm});
    }
    if (!continues(second, all) || !continues(third, second)) {
      return stamp::matmul_qkv(engine, query, key, value, x, to_query, to_key, to_value);
    }
    all.y.columns += second.y.columns + third.y.columns;
    multiply_kept(engine, all);
  });
}

/// [gate(x) | up(x)] in one product, where the two matrices lie behind one another; both [R, 2·F].
template <DeviceElement T, Axis R, Axis H, Axis F>
void joined_gate_and_up(Engine<T>& engine, View<T, R, F> both, In<T, R, H> x,
                        const Matrix<T, F, H>& gate) {
  with_kept<T>(gate.kept, [&]<class W>() {
    auto p =
        checked_product<W, T, R, F, H>(columns(both, 0, gate.out), x, gate, nullptr, Into::store);
    p.y.columns = both.extents()[1];
    multiply_kept(engine, p);
  });
}

/// Whether the weights of three layers are those of one, bound behind one another.
template <class ToQuery, class ToKey>
[[nodiscard]] bool bound_together(const ToQuery& to_query, const ToKey& to_key,
                                  const ToKey& to_value) {
  const auto follows = [](const auto& next, const auto& first) {
    const Index bytes = first.bias.bytes_of(first.weight.out);
    return next.weight.continues(first.weight) &&
           next.bias.buffer().continues(first.bias.buffer(), bytes);
  };
  return follows(to_key, to_query) && follows(to_value, to_key);
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

/// Query, key and value side by side where they are to be one product (ops/fused.hpp).
template <DeviceElement T, Axis R, class ToQuery, class ToKey>
[[nodiscard]] auto allocate_qkv(Engine<T>& engine, R rows, const ToQuery& to_query,
                                const ToKey& to_key, const ToKey& to_value) {
  if (rows.size <= skinny_rows || !detail::bound_together(to_query, to_key, to_value)) {
    return stamp::allocate_qkv(engine, rows, to_query, to_key, to_value);
  }
  const Index queries = to_query.out.size;
  const Index keys = to_key.out.size;
  const auto all = engine.template allocate<T>(rows, FusedQkv{queries + 2 * keys});
  return QueryKeyValue<T, R, decltype(to_query.out), decltype(to_key.out)>{
      columns(all, 0, to_query.out), columns(all, queries, to_key.out),
      columns(all, queries + keys, to_value.out)};
}

/// Query, key and value (ops/fused.hpp): one kernel, or one product where they lie side by side.
template <DeviceElement T, Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(Engine<T>& engine, View<T, R, Q> query, View<T, R, K> key, View<T, R, K> value,
                const X& x, const ToQuery& to_query, const ToKey& to_key, const ToKey& to_value) {
  const Weights kept = to_query.weight.kept;
  if (to_key.weight.kept != kept || to_value.weight.kept != kept) {
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
  const R rows = y.template axis_at<0>();
  check_same_shape("swiglu_mlp", y, x);
  check_extent("swiglu_mlp", gate.in, x.template axis_at<1>());
  check_extent("swiglu_mlp", up.in, gate.in);
  check_extent("swiglu_mlp", up.out, gate.out);
  View<T, R, F> inner;
  if (rows.size <= skinny_rows && gate.kept == up.kept) {
    const In<T, R, H> input = x;
    inner = engine.template allocate<T>(rows, gate.out);
    detail::joined_swiglu<T, R, H, F>(engine, inner, input, {}, gate, up);
  } else if (up.continues(gate)) {
    const auto both = engine.template allocate<T>(rows, F{2 * gate.out.size});
    inner = columns(both, 0, gate.out);
    detail::joined_gate_and_up<T, R, H, F>(engine, both, x, gate);
    swiglu(engine, inner, columns(both, gate.out.size, up.out));
  } else {
    inner = engine.template allocate<T>(rows, gate.out);
    const auto other = engine.template allocate<T>(rows, up.out);
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
