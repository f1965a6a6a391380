// SPDX-License-Identifier: Apache-2.0
// An engine whose operations are the CUDA kernels' bodies, walked on the host over host memory: all
// tests of operations and all goldens run on it where there is no GPU. What it cannot show is what
// only a GPU does: threads at the same time, tensor cores, the runtime.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cuda/bodies.hpp>
#include <stamp/cuda/attend.hpp>
#include <stamp/cuda/distinct.hpp>
#include <stamp/reference/engine.hpp>

namespace stamp::test {

/// Memory, weights and the way in and out are the reference's.
template <Element T>
struct Walked : reference::Engine<T> {
  using reference::Engine<T>::Engine;
};

namespace walked {

/// A weight as the device would keep it: dense, in T.
template <Element T>
[[nodiscard]] std::vector<T> resident(const StoredTensor& stored, Index count) {
  std::vector<float> wide(static_cast<std::size_t>(count));
  widen_stored(stored, 0, count, wide.data());
  std::vector<T> kept;
  for (const float value : wide) kept.push_back(narrow<T>(value));
  return kept;
}
template <Element T, Axis A>
[[nodiscard]] std::vector<T> resident(const Tensor<float, A>& vector) {
  std::vector<T> kept;
  for (const float value : vector.values()) kept.push_back(narrow<T>(value));
  return kept;
}
/// Two ways to the same numbers, each rounded once.
template <Element T>
void expect_agreement(const char* what, Erased<const T> a, Erased<const T> b,
                      float absolute = 1e-5F) {
  for (Index row = 0; row < a.rows; ++row) {
    for (Index at = 0; at < a.columns; ++at) {
      const float one = widen(a.row(row)[at]);
      const float other = widen(b.row(row)[at]);
      const float limit = absolute + std::abs(one) * (sizeof(T) == 2 ? 0x1p-7F : 1e-5F);
      if (std::abs(one - other) <= limit || (std::isnan(one) && std::isnan(other))) continue;
      ADD_FAILURE() << what << " disagree: " << one << " and " << other << " in row " << row
                    << ", column " << at;
      return;
    }
  }
}
template <class T, Axis... Axes>
[[nodiscard]] Erased<T> as_rows(const View<T, Axes...>& view) {
  return {view.data(), view.extents()[0], view.row_size(), view.stride()};
}

}  // namespace walked

template <Element T, Axis R, Axis O, Axis I, class... Bias>
void matmul(Walked<T>& engine, View<T, R, O> y, In<T, R, I> x, const reference::Matrix<O, I>& w,
            const Bias&... bias) {
  reference::detail::check_product<T, R, O, I>(y, x, w);
  (check_extent("matmul bias", w.out, bias.view().template axis_at<0>()), ...);
  const auto weight = walked::resident<T>(w.stored, w.out.size * w.in.size);
  std::vector<T> added;
  ((added = walked::resident<T>(bias)), ...);
  const cuda::Product<T> product{erase(y), erase(x), weight.data(),
                                 sizeof...(bias) == 0 ? nullptr : added.data()};
  // Both of our own products, one into y and one beside it.
  const auto frame = engine.frame();
  auto other = product;
  const auto copy = engine.template allocate<T>(y.template axis_at<0>(), y.template axis_at<1>());
  other.y = erase(copy);
  walked::skinny_products(cuda::JoinedProducts<T>{product, {}, {}});
  walked::plain_product(other);
  walked::expect_agreement<T>("two products", erase(View<const T, R, O>(y)),
                              erase(View<const T, R, O>(copy)));
}

template <Element T, Axis R, Axis O, Axis I>
void matmul(Walked<T>& engine, View<T, R, O> y, In<T, R, I> x, View<const T, O, I> w) {
  const auto frame = engine.frame();
  const auto dense = engine.template allocate<T>(w.template axis_at<0>(), w.template axis_at<1>());
  copy(engine, dense, w);
  walked::skinny_products(cuda::JoinedProducts<T>{{erase(y), erase(x), dense.data()}, {}, {}});
}

/// One kernel, whatever the number of rows.
template <Element T, Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(Walked<T>&, View<T, R, Q> query, View<T, R, K> key, View<T, R, K> value, const X& x,
                const ToQuery& to_query, const ToKey& to_key, const ToKey& to_value) {
  std::vector<std::vector<T>> kept;  // each in memory of its own, wherever the vector moves it
  const auto of = [&]<class Y>(const Y& y, const auto& to) {
    const auto& w = to.weight;
    kept.push_back(walked::resident<T>(w.stored, w.out.size * w.in.size));
    const T* const weight = kept.back().data();
    kept.push_back(walked::resident<T>(to.bias));
    return cuda::Product<T>{erase(y),
                            {x.data(), x.extents()[0], x.extents()[1], x.stride()},
                            weight,
                            kept.back().data()};
  };
  const cuda::Product<T> first = of(query, to_query);
  const cuda::Product<T> second = of(key, to_key);
  walked::skinny_products(cuda::JoinedProducts<T>{first, second, of(value, to_value)});
}

template <Element T, Axis... Axes>
void add(Walked<T>&, View<T, Axes...> y, In<T, Axes...> x) {
  check_same_shape("add", y, x);
  walked::add(walked::as_rows(y), walked::as_rows(x));
}
template <Element T, Axis R, Axis A, class X, class Y>
void sum(Walked<T>&, View<T, R, A> z, const X& x, const Y& y) {
  const In<T, R, A> one = x;
  const In<T, R, A> other = y;
  check_same_shape("sum", z, one);
  check_same_shape("sum", z, other);
  walked::sum<T>(erase(z), erase(one), erase(other));
}
template <Element T, Axis... Axes>
void copy(Walked<T>&, View<T, Axes...> y, In<T, Axes...> x) {
  check_same_shape("copy", y, x);
  walked::copy(walked::as_rows(y), walked::as_rows(x));
}

template <Element T, Axis R, Axis A>
void rms_norm(Walked<T>&, View<T, R, A> y, In<T, R, A> x,
              const std::type_identity_t<Tensor<float, A>>& weight, double eps) {
  check_same_shape("rms_norm", y, x);
  check_extent("rms_norm weight", y.template axis_at<1>(), weight.view().template axis_at<0>());
  walked::rms_norm(erase(y), erase(x), walked::resident<T>(weight).data(), static_cast<float>(eps));
}
namespace walked {

/// use(norm) with the weights as the device would keep them.
template <Element T, Axis A, class Use>
void with_norm(A axis, const Tensor<float, A>& weight, const Tensor<float, A>& bias, double eps,
               const Use& use) {
  check_extent("layer_norm weight", axis, weight.view().template axis_at<0>());
  check_extent("layer_norm bias", axis, bias.view().template axis_at<0>());
  const std::vector<T> kept_weight = resident<T>(weight);
  const std::vector<T> kept_bias = resident<T>(bias);
  use(cuda::LayerNorm<T>{kept_weight.data(), kept_bias.data(), axis.size, static_cast<float>(eps)});
}

}  // namespace walked

template <Element T, Axis R, Axis A>
void layer_norm(Walked<T>&, View<T, R, A> y, In<T, R, A> x,
                const std::type_identity_t<Tensor<float, A>>& weight,
                const std::type_identity_t<Tensor<float, A>>& bias, double eps) {
  check_same_shape("layer_norm", y, x);
  walked::with_norm<T>(y.template axis_at<1>(), weight, bias, eps,
                       [&](const auto& norm) { walked::layer_norm<T>(erase(y), erase(x), norm); });
}
template <Element T, Axis R, Axis O, Axis H, class X>
void rms_norm_matmul(Walked<T>&, View<T, R, O> y, const X& x, const Tensor<float, H>& norm,
                     double eps, const reference::Matrix<O, H>& w, const Tensor<float, O>& bias) {
  const In<T, R, H> input = x;
  walked::norm_matmul(
      cuda::NormMatmul<T>{erase(y), erase(input), walked::resident<T>(norm).data(),
                          walked::resident<T>(w.stored, w.out.size * w.in.size).data(),
                          walked::resident<T>(bias).data(), static_cast<float>(eps)});
}

template <Element T, Axis R, Axis A>
void quick_gelu(Walked<T>&, View<T, R, A> x) {
  walked::quick_gelu(erase(x));
}
template <Element T, Axis R, Axis A>
void gelu(Walked<T>&, View<T, R, A> x) {
  walked::gelu(erase(x));
}
template <Element T, Axis R, Axis A>
void relu(Walked<T>&, View<T, R, A> x) {
  walked::relu(erase(x));
}
template <Element T, Axis R, Axis A>
void swiglu(Walked<T>&, View<T, R, A> gate, In<T, R, A> up) {
  check_same_shape("swiglu", gate, up);
  walked::swiglu(erase(gate), erase(up));
}

/// Gate and up in one kernel, whatever the number of rows; the rest as ops/fused.hpp has it.
template <Element T, Axis R, Axis H, Axis F, class X>
void swiglu_mlp(Walked<T>& engine, View<T, R, H> y, const X& x, const reference::Matrix<F, H>& gate,
                const reference::Matrix<F, H>& up, const reference::Matrix<H, F>& down) {
  const auto frame = engine.frame();
  const auto inner = engine.template allocate<T>(y.template axis_at<0>(), gate.out);
  const In<T, R, H> input = x;
  const Index count = gate.out.size * gate.in.size;
  const auto gates = walked::resident<T>(gate.stored, count);
  const auto ups = walked::resident<T>(up.stored, count);
  walked::skinny_swiglu(erase(inner), erase(input), cuda::GateAndUp<T>{gates.data(), ups.data()});
  matmul_add(engine, y, inner, down);
}

template <Element T, Axis R, Axis H, Axis D>
void rotate(Walked<T>&, View<T, R, H, D> x, In<float, R, Pairs> cosine, In<float, R, Pairs> sine) {
  const Index pairs = x.extents()[2] / 2;
  check_extent("rotate", x.template axis_at<0>(), cosine.template axis_at<0>());
  check_extent("rotate", x.template axis_at<0>(), sine.template axis_at<0>());
  check_extent("rotate", Pairs{pairs}, cosine.template axis_at<1>());
  check_extent("rotate", Pairs{pairs}, sine.template axis_at<1>());
  walked::rotate(erase(x), erase(cosine), erase(sine));
}

template <Element T, Axis R, Axis H, Axis KH, Axis D, class Key, class Value, class Angles>
void rotate_and_store(Walked<T>&, View<T, R, H, D> query, View<T, Keys, KH, D> keys,
                      View<T, Keys, KH, D> values, const Key& key, const Value& value,
                      const Angles& cosine, const Angles& sine) {
  const In<T, R, KH, D> from = key;
  const In<T, R, KH, D> copied = value;
  const In<float, R, Pairs> c = cosine;
  const In<float, R, Pairs> s = sine;
  walked::rotate_and_store(erase(query), erase(keys), erase(values), erase(from), erase(copied),
                           erase(c), erase(s));
}

template <Element T, Axis R, Axis V, Axis A>
void embed(Walked<T>& engine, View<T, R, A> y, const reference::Matrix<V, A>& table,
           std::span<const std::int32_t> ids) {
  reference::embed(static_cast<reference::Engine<T>&>(engine), y, table, ids);  // its checks
  const cuda::Distinct distinct(ids);
  std::vector<T> rows;
  for (const std::int32_t id : distinct.values) {
    std::vector<float> row(static_cast<std::size_t>(table.in.size));
    widen_stored(table.stored, id * table.in.size, table.in.size, row.data());
    for (const float value : row) rows.push_back(narrow<T>(value));
  }
  const Index width = table.in.size;
  walked::gather(erase(y), Erased<const T>{rows.data(), std::ssize(distinct.values), width, width},
                 distinct.which.data());
}
template <Element T, Axis R, Axis A>
void first_largest(Walked<T>&, std::span<std::int32_t> places, View<T, R, A> x) {
  check_count("first_largest", x.extents()[0], places.size());
  const Erased<const T> rows{x.data(), x.extents()[0], x.extents()[1], x.stride()};
  const Index parts = cuda::largest_parts(rows.columns);
  std::vector<cuda::Candidate> candidates(static_cast<std::size_t>(rows.rows * parts), {NAN, -2});
  walked::largest_of_part(candidates.data(), rows);
  walked::largest_of_parts(places.data(), candidates.data(), rows.rows, parts);
}
template <Element T, Axis R, Axis A>
void top_k(Walked<T>& engine, KeptScores& kept, View<T, R, A> x, const TopK& how,
           std::span<const std::int32_t> history, std::span<const std::int32_t> ahead = {}) {
  cuda::top_k_by(engine, kept, x, how, history, ahead, [&](const cuda::TopKCall<T>& call) {
    std::fill_n(call.largest, call.x.rows * cuda::top_k_groups(call.x.columns), NAN);
    walked::largest_of_groups(call);
    walked::found_of_row(call);
    std::copy_n(call.found, kept.found.size(), kept.found.begin());
  });
}
template <Element T, Axis R, Axis A, Axis S>
void gather_rows(Walked<T>&, View<T, R, A> y, View<const T, S, A> x, In<std::int32_t, R> index) {
  check_extent("gather_rows", y.template axis_at<0>(), index.template axis_at<0>());
  check_extent("gather_rows", y.template axis_at<1>(), x.template axis_at<1>());
  walked::gather(erase(y), erase(x), index.data());
}

template <Element T, Axis P, Axis L>
void cut_picture(Walked<T>&, View<T, P, L> y, std::span<const std::uint8_t> pixels,
                 const PictureCut& cut) {
  check_cut_picture(y, pixels, cut);
  walked::cut_picture(erase(y), pixels.data(), cut);
}

template <Element T>
Foreground mask_head(Walked<T>&, std::span<std::uint8_t> picture, std::span<float> logits,
                     In<T, Tokens, Hidden> x, const Tensor<float, Hidden>& norm, double eps,
                     const reference::Matrix<Logit, Hidden>& w, const Tensor<float, Logit>& bias,
                     const MaskReadout& readout) {
  check_mask_head(picture, logits, x, readout);
  const auto rows = cuda::reading_of(readout.rows, cuda::tile_rows);
  const auto columns = cuda::reading_of(readout.columns, cuda::tile_columns);
  std::vector<cuda::TileForeground> foregrounds(
      static_cast<std::size_t>(rows.tiles * columns.tiles), {-1, NAN});
  walked::mask_head(cuda::MaskHead<T>{picture.data(), logits.data(), foregrounds.data(), erase(x),
                                      walked::resident<T>(norm).data(),
                                      walked::resident<T>(w.stored, w.in.size).data(),
                                      walked::resident<T>(bias).data(), static_cast<float>(eps),
                                      rows, columns, readout.threshold},
                    cuda::window_of(rows, columns));
  Foreground sum;
  for (const auto& [area, probability] : foregrounds) {
    sum.area += area;
    sum.probability += probability;
  }
  return sum;
}

namespace walked {

/// The kernels that need no tensor cores, one after the other, must agree; the last one's is y.
template <Element T, Axis R, Axis H, Axis D>
void attend_with_all(Walked<T>& engine, View<T, R, H, D> y, const cuda::AttendCall<T>& call) {
  if (cuda::kernel_for(call) == cuda::AttendKernel::naive) {
    attend(call, cuda::AttendKernel::naive, 1);
    return;
  }
  const auto frame = engine.frame();
  std::vector<View<T, R, H, D>> others;
  const auto run = [&](cuda::AttendKernel kernel, Index parts) {
    const auto other = engine.template allocate<T>(y.template axis_at<0>(), y.template axis_at<1>(),
                                                   y.template axis_at<2>());
    cuda::AttendCall<T> beside = call;
    beside.y = erase(other);
    attend(beside, kernel, parts);
    others.push_back(other);
  };
  run(cuda::AttendKernel::naive, 1);
  run(cuda::AttendKernel::tiled, 3);
  attend(call, cuda::AttendKernel::tiled, 1);
  if (sizeof(T) == 2 && cuda::kernel_for(call) == cuda::AttendKernel::tensor) {
    // It rounds the weights of the values, each by at most 2^-9 of itself.
    float largest = 0;
    for (Index row = 0; row < call.value.rows; ++row) {
      for (Index at = 0; at < call.value.heads * call.value.dim; ++at) {
        largest = std::max(largest, std::abs(widen(call.value.data[row * call.value.stride + at])));
      }
    }
    for (const auto kernel : {cuda::AttendKernel::tensor, cuda::AttendKernel::hopper}) {
      if (kernel == cuda::AttendKernel::hopper && !cuda::hopper_can(call)) continue;
      for (const Index parts : {1, 3}) {
        run(kernel, parts);
        expect_agreement<T>("tensor cores", as_rows(View<const T, R, H, D>(y)),
                            as_rows(View<const T, R, H, D>(others.back())),
                            0x1p-9F * largest + 1e-5F);
        others.pop_back();
      }
    }
  }
  for (const auto& other : others) {
    expect_agreement<T>("two kernels", as_rows(View<const T, R, H, D>(y)),
                        as_rows(View<const T, R, H, D>(other)));
  }
}

}  // namespace walked

template <Element T, Axis R, Axis H, Axis D, Axis K, Axis KH, MaskPolicy Mask>
void attend(Walked<T>& engine, View<T, R, H, D> y, In<T, R, H, D> query,
            View<const T, K, KH, D> key, View<const T, K, KH, D> value, double scale, Mask mask,
            const std::type_identity_t<RelativePosition<T>>& bias = {}) {
  check_attention(y, query, key, value);
  if (bias.vertical != nullptr) {
    check_positions(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  }
  const Index rows = y.extents()[0];
  for (Index row = 0; row < rows; ++row) check_visible(mask.visible(row), row, key.extents()[0]);
  walked::attend_with_all(
      engine, y,
      cuda::AttendCall<T>{erase(y), erase(query), erase(key), erase(value),
                          static_cast<float>(scale), cuda::MaskRule(mask), bias});
}

template <Element T, Axis R, Axis H, Axis D, Axis K, Axis KH, class Query>
void attend_windows(Walked<T>& engine, View<T, R, H, D> y, const Query& query,
                    const View<const T, K, KH, D>& key, const View<const T, K, KH, D>& value,
                    double scale, const RelativePosition<T>& bias) {
  const In<T, R, H, D> from = query;
  check_attention(y, from, key, value);
  check_windows(bias, y.extents()[0], y.extents()[1], key.extents()[0]);
  walked::attend_with_all(engine, y,
                          cuda::AttendCall<T>{erase(y), erase(from), erase(key), erase(value),
                                              static_cast<float>(scale),
                                              cuda::MaskRule(EqualBlocks{bias.area()}), bias});
}

static_assert(SamBackend<Walked<float>>);
static_assert(SamBackend<Walked<bfloat16>>);
static_assert(requirement::CutsPictures<Walked<float>>);
static_assert(requirement::HasMaskHead<Walked<float>>);

}  // namespace stamp::test
