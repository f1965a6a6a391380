// SPDX-License-Identifier: Apache-2.0
// Steps of a layer that a backend may do in one go, written out in the operations that every
// backend has. A backend that does better declares the same name in its own namespace, for its own
// engine: it fits better than these and is taken. The residual y is what is added to.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <stamp/ops/backend.hpp>
#include <stamp/ops/top_k.hpp>
#include <stamp/tensor/reshape.hpp>
#include <vector>

namespace stamp {

/// The place of the first of the largest numbers, -1 where one is NaN or +inf or none above -inf.
template <class T>
[[nodiscard]] std::int32_t place_of_largest(std::span<const T> row) {
  using Number = decltype(widen(row[0]));
  constexpr Number none = -std::numeric_limits<Number>::infinity();
  Number largest = none;
  std::int32_t place = -1;
  for (std::size_t at = 0; at < row.size(); ++at) {
    const Number number = widen(row[at]);
    if (std::isnan(number) || number == -none) return -1;
    if (number > largest) {
      largest = number;
      place = static_cast<std::int32_t>(at);
    }
  }
  return place;
}

/// places[row] = place_of_largest(x[row]), on the host: what greedy decoding picks. x [R, A],
/// dense.
template <Backend B, Axis R, Axis A>
void first_largest(B& engine, std::span<std::int32_t> places, View<typename B::Element, R, A> x) {
  using Number = typename B::Number;
  const auto width = static_cast<std::size_t>(x.extents()[1]);
  std::vector<Number> numbers(static_cast<std::size_t>(x.size()));
  engine.download(std::span(numbers), x);
  for (std::size_t row = 0; row < places.size(); ++row) {
    places[row] = place_of_largest(std::span<const Number>(numbers).subspan(row * width, width));
  }
}

/// kept = what `how` keeps of each row of x (ops/top_k.hpp), on the host: what sampling chooses
/// among. Row r comes behind the tokens of `history` and the first r of `ahead`, for which the
/// penalty is; all numbers are rounded to float first. x [R, A], each row dense; ahead [R - 1].
template <Backend B, Axis R, Axis A>
void top_k(B& engine, KeptScores& kept, View<typename B::Element, R, A> x, const TopK& how,
           std::span<const std::int32_t> history, std::span<const std::int32_t> ahead = {}) {
  using Number = typename B::Number;
  check_count("top_k", x.extents()[0], ahead.size() + 1);
  kept.clear();
  const auto width = static_cast<std::size_t>(x.extents()[1]);
  std::vector<Number> numbers;
  for (std::size_t row = 0; row <= ahead.size(); ++row) {
    const View<typename B::Element, R, A> one(x.data() + static_cast<Index>(row) * x.stride(), R{1},
                                              x.template axis_at<1>());
    kept.numbers.resize(width);
    if constexpr (std::same_as<Number, float>) {
      engine.download(std::span(kept.numbers), one);
    } else {
      numbers.resize(width);
      engine.download(std::span(numbers), one);
      for (std::size_t at = 0; at < width; ++at) {
        kept.numbers[at] = static_cast<float>(numbers[at]);
      }
    }
    keep_top_k(kept, kept.numbers, how, history, ahead.first(row));
  }
}

/// z = x + y, all [R, A].
template <Backend B, Axis R, Axis A, class X, class Y>
void sum(B& engine, View<typename B::Element, R, A> z, const X& x, const Y& y) {
  copy(engine, z, x);
  add(engine, z, y);
}

/// query = rotate(query) in place, keys = rotate(key), values = value: a pass's keys and values on
/// their way into their slots of a cache. query [R, Heads, HeadDim]; key and value
/// [R, KvHeads, HeadDim], of which key may be overwritten; keys and values [Keys = R, KvHeads,
/// HeadDim]; cosine and sine [R, Pairs].
template <Backend B, Axis R, Axis H, Axis KH, Axis D, class Key, class Value, class Angles>
void rotate_and_store(B& engine, View<typename B::Element, R, H, D> query,
                      View<typename B::Element, Keys, KH, D> keys,
                      View<typename B::Element, Keys, KH, D> values, const Key& key,
                      const Value& value, const Angles& cosine, const Angles& sine) {
  rotate(engine, query, cosine, sine);
  rotate(engine, key, cosine, sine);
  copy(engine, keys, rename<Keys, KH, D>(key));
  copy(engine, values, rename<Keys, KH, D>(value));
}

/// What matmul_qkv fills.
template <class T, Axis R, Axis Q, Axis K>
struct QueryKeyValue {
  View<T, R, Q> query;
  View<T, R, K> key, value;
};

/// Scratch memory for matmul_qkv, not initialised. A backend whose three products are one lets them
/// lie side by side, so their rows need not be dense.
template <Backend B, Axis R, class ToQuery, class ToKey>
[[nodiscard]] auto allocate_qkv(B& engine, R rows, const ToQuery& to_query, const ToKey& to_key,
                                const ToKey& to_value) {
  using T = typename B::Element;
  return QueryKeyValue<T, R, decltype(to_query.out), decltype(to_key.out)>{
      engine.template allocate<T>(rows, to_query.out),
      engine.template allocate<T>(rows, to_key.out),
      engine.template allocate<T>(rows, to_value.out)};
}

/// query = x·Wᵀ + bias, key and value likewise: three products that read one x. query [R, Q], key
/// and value [R, K], x [R, I]; to_query and so on have a weight and a bias (nn/linear.hpp).
template <Backend B, Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(B& engine, View<typename B::Element, R, Q> query,
                View<typename B::Element, R, K> key, View<typename B::Element, R, K> value,
                const X& x, const ToQuery& to_query, const ToKey& to_key, const ToKey& to_value) {
  matmul(engine, query, x, to_query.weight, to_query.bias);
  matmul(engine, key, x, to_key.weight, to_key.bias);
  matmul(engine, value, x, to_value.weight, to_value.bias);
}

/// matmul_qkv of rms_norm(x, norm.weight, norm.eps); `norm` as nn/rms_norm.hpp has it.
template <Backend B, Axis R, Axis Q, Axis K, class X, class Norm, class ToQuery, class ToKey>
void rms_norm_matmul_qkv(B& engine, View<typename B::Element, R, Q> query,
                         View<typename B::Element, R, K> key, View<typename B::Element, R, K> value,
                         const X& x, const Norm& norm, const ToQuery& to_query, const ToKey& to_key,
                         const ToKey& to_value) {
  const auto frame = engine.frame();
  const auto normal =
      engine.template allocate<typename B::Element>(query.template axis_at<0>(), norm.axis);
  rms_norm(engine, normal, x, norm.weight, norm.eps);
  matmul_qkv(engine, query, key, value, normal, to_query, to_key, to_value);
}

/// y += x·Wᵀ [+ bias]; y [R, O], x [R, I], W [O, I], bias [O].
template <Backend B, Axis R, Axis O, class X, class W, class... BiasVector>
void matmul_add(B& engine, View<typename B::Element, R, O> y, const X& x, const W& w,
                const BiasVector&... bias) {
  const auto frame = engine.frame();
  auto product = engine.template allocate<typename B::Element>(y.template axis_at<0>(),
                                                               y.template axis_at<1>());
  matmul(engine, product, x, w, bias...);
  add(engine, y, product);
}

/// y = rms_norm(x)·Wᵀ + bias: the last norm and the classifier of mask tokens. y [R, O], x [R, H],
/// norm [H], W [O, H], bias [O].
template <Backend B, Axis R, Axis O, class X, class Norm, class W, class BiasVector>
void rms_norm_matmul(B& engine, View<typename B::Element, R, O> y, const X& x, const Norm& norm,
                     double eps, const W& w, const BiasVector& bias) {
  const auto frame = engine.frame();
  auto normal = engine.template allocate<typename B::Element>(y.template axis_at<0>(), w.in);
  rms_norm(engine, normal, x, norm, eps);
  matmul(engine, y, normal, w, bias);
}

/// y += fc2(quick_gelu(fc1(x))): the vision tower's MLP. y, x [R, H], fc1 [F, H], fc2 [H, F].
template <Backend B, Axis R, Axis H, class X, class W1, class B1, class W2, class B2>
void quick_gelu_mlp(B& engine, View<typename B::Element, R, H> y, const X& x, const W1& fc1,
                    const B1& bias1, const W2& fc2, const B2& bias2) {
  const auto frame = engine.frame();
  auto inner = engine.template allocate<typename B::Element>(y.template axis_at<0>(), fc1.out);
  matmul(engine, inner, x, fc1, bias1);
  quick_gelu(engine, inner);
  matmul_add(engine, y, inner, fc2, bias2);
}

/// y += down(silu(gate(x))·up(x)): the language model's MLP. y, x [R, H], gate and up [F, H],
/// down [H, F].
template <Backend B, Axis R, Axis H, class X, class W, class Down>
void swiglu_mlp(B& engine, View<typename B::Element, R, H> y, const X& x, const W& gate,
                const W& up, const Down& down) {
  const auto frame = engine.frame();
  auto inner = engine.template allocate<typename B::Element>(y.template axis_at<0>(), gate.out);
  auto other = engine.template allocate<typename B::Element>(y.template axis_at<0>(), up.out);
  matmul(engine, inner, x, gate);
  matmul(engine, other, x, up);
  swiglu(engine, inner, other);
  matmul_add(engine, y, inner, down);
}

/// y += down(silu(gate(x))·up(x)) with x = rms_norm(y, norm.weight, norm.eps): swiglu_mlp of what
/// the residual stream is before.
template <Backend B, Axis R, Axis H, class Norm, class W, class Down>
void rms_norm_swiglu_mlp(B& engine, View<typename B::Element, R, H> y, const Norm& norm,
                         const W& gate, const W& up, const Down& down) {
  const auto frame = engine.frame();
  const auto normal = engine.template allocate<typename B::Element>(y.template axis_at<0>(),
                                                                    y.template axis_at<1>());
  rms_norm(engine, normal, y, norm.weight, norm.eps);
  swiglu_mlp(engine, y, normal, gate, up, down);
}

}  // namespace stamp
