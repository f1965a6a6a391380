// SPDX-License-Identifier: Apache-2.0
// Products with packed weights, and what is fused to them while their results are in the cache.
//
// A strip is some 96 rows × one panel of 64 outputs: its sums stay in the cache until bias,
// non-linear function and residual are done. Strips are shared among the threads;
// no sum is split, so the result does not depend on how many there are.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <stamp/cpu/memory.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::cpu {

namespace detail {

using Rows = Erased<float>;
using ConstRows = Erased<const float>;

/// At most so many rows are multiplied without rounding them: memory sets the pace then.
inline constexpr Index skinny_rows = 4;

/// Activations as a product wants them: words of the weight's type, or floats where few rows are
/// multiplied with bfloat16 weights.
struct Operand {
  const std::uint32_t* words = nullptr;
  Index stride = 0;                   ///< words from row to row
  const ByteScale* scales = nullptr;  ///< int8: one a row
  bool skinny = false;
};

/// Rounds rows to words, shared among the threads; float32 rows are used where they stand.
inline Operand operand_of(Engine& engine, ConstRows x, Compute type) {
  const Kernels& k = engine.kernels();
  if (type == Compute::fp32) {
    return {reinterpret_cast<const std::uint32_t*>(x.data), x.stride};
  }
  if (type == Compute::bf16 && x.rows <= skinny_rows) {
    const Index padded = round_up(x.columns, 2);
    auto* const copy = engine.arena().allocate<float>(x.rows * padded);
    for (Index row = 0; row < x.rows; ++row) {
      copy[(row + 1) * padded - 1] = 0;
      std::copy(x.row(row), x.row(row) + x.columns, copy + row * padded);
    }
    return {reinterpret_cast<const std::uint32_t*>(copy), padded, nullptr, true};
  }
  const Index words = Panels::words_of(type, x.columns);
  auto* const to = engine.arena().allocate<std::uint32_t>(x.rows * words);
  auto* const scales = type == Compute::int8 ? engine.arena().allocate<ByteScale>(x.rows) : nullptr;
  const Index floats = type == Compute::int8 ? x.columns : 0;
  auto* const spread = engine.arena().allocate<float>(engine.pool().count() * floats);
  const auto round = [&](Index row, Index thread) {
    std::uint32_t* const y = to + row * words;
    y[words - 1] = 0;
    if (type == Compute::int8) {
      float* const mixed = spread + thread * floats;
      k.spread(mixed, x.row(row), x.columns);
      scales[row] = k.to_uint8(reinterpret_cast<std::uint8_t*>(y), mixed, x.columns);
    } else {
      k.to_bf16(reinterpret_cast<std::uint16_t*>(y), x.row(row), x.columns);
    }
  };
  constexpr Index together = 16;
  engine.pool().run(
      (x.rows + together - 1) / together, x.rows * x.columns / 4, [&](Index task, Index thread) {
        for (Index row = task * together; row < std::min(x.rows, (task + 1) * together); ++row) {
          round(row, thread);
        }
      });
  return {to, words, scales, false};
}

/// Rows of x from `first` on times one panel of w.
struct Block {
  const Operand& x;
  Index first;
  Index rows;
  const Panels& w;
  Index panel;

  [[nodiscard]] Index column() const { return panel * panel_width; }
  [[nodiscard]] Index width() const { return std::min(panel_width, w.out - column()); }

  /// strip [rows, 64] = the sums: floats, or whole numbers of their size for bytes.
  void sum(const Kernels& k, float* strip) const {
    const std::uint32_t* const weights = w.panel(panel);
    const std::uint32_t* const from = x.words + first * x.stride;
    if (x.skinny) {
      return k.skinny_bf16(strip, reinterpret_cast<const float*>(from), x.stride, rows, weights,
                           w.used_words());
    }
    for (Index word = 0; word < w.used_words(); word += k.chunk_words) {
      const Index words = std::min(k.chunk_words, w.used_words() - word);
      const std::uint32_t* const part = weights + word * panel_width;
      if (w.type == Compute::int8) {
        k.product_int8(reinterpret_cast<std::int32_t*>(strip), panel_width, from + word, x.stride,
                       rows, part, words, word > 0);
      } else {
        (w.type == Compute::bf16 ? k.product_bf16 : k.product_fp32)(
            strip, panel_width, from + word, x.stride, rows, part, words, word > 0);
      }
    }
  }

  /// What becomes of the sums: y, or what is added to it. y may be the strip.
  void finish(const Kernels& k, float* y, Index y_stride, const float* strip, const float* bias,
              bool add) const {
    if (bias != nullptr) bias += column();
    if (w.type != Compute::int8) {
      if (y == strip && bias == nullptr && !add) return;
      return k.finish(y, y_stride, strip, rows, width(), bias, add);
    }
    k.finish_int8(y, y_stride, reinterpret_cast<const std::int32_t*>(strip), rows, width(),
                  x.scales + first, w.sums.data() + column(), w.scales.data() + column(), bias,
                  add);
  }
};

/// done(first row, rows, panel, strip) for every strip of a product of `panels` panels with `words`
/// a row, on any thread. `strips` of scratch of `rows` rows follow each other.
template <class Done>
void for_each_strip(Engine& engine, Index rows, Index panels, Index words, Index strips,
                    const Done& done) {
  const Index strip_rows = engine.kernels().strip_rows;
  const Index height = std::min(rows, strip_rows);
  const Index floats = strips * height * panel_width;
  auto* const scratch = engine.arena().allocate<float>(engine.pool().count() * floats);
  const Index stripes = (rows + strip_rows - 1) / strip_rows;
  // Few rows: some panels a task, so that a thread streams a stretch of the weights.
  const Index together =
      stripes == 1 ? std::clamp<Index>(panels / (8 * engine.pool().count()), 1, 8) : 1;
  const Index groups = (panels + together - 1) / together;
  // Tasks that follow each other share their panels, which stay in the cache.
  engine.pool().run(
      groups * stripes, rows * panels * words * 4 * strips, [&](Index task, Index thread) {
        const Index first = task % stripes * strip_rows;
        const Index end = std::min(panels, (task / stripes + 1) * together);
        for (Index panel = task / stripes * together; panel < end; ++panel) {
          done(first, std::min(strip_rows, rows - first), panel, scratch + thread * floats);
        }
      });
}

/// What becomes of x·Wᵀ + bias.
enum class Into { store, add };

/// y = (or +=) x·Wᵀ + bias; `bias` may be null.
struct Product {
  Rows y;
  const Panels& w;
  const float* bias;
  Into into;
};

/// Products with weights of one type that read one x: one job for the threads.
inline void multiply(Engine& engine, const Operand& x, std::initializer_list<Product> products) {
  const Kernels& k = engine.kernels();
  Index panels = 0;
  for (const Product& product : products) panels += product.w.panels();
  const Product& any = *products.begin();
  for_each_strip(engine, any.y.rows, panels, any.w.words, 1,
                 [&](Index first, Index rows, Index panel, float* strip) {
                   const Product* product = products.begin();
                   for (; panel >= product->w.panels(); ++product) panel -= product->w.panels();
                   const auto& [y, w, bias, into] = *product;
                   const Block block{x, first, rows, w, panel};
                   block.sum(k, strip);
                   block.finish(k, y.row(first) + block.column(), y.stride, strip, bias,
                                into == Into::add);
                 });
}
inline void multiply(Engine& engine, Rows y, const Operand& x, const Panels& w, const float* bias,
                     Into into) {
  multiply(engine, x, {{y, w, bias, into}});
}
inline void multiply(Engine& engine, Rows y, ConstRows x, const Panels& w, const float* bias,
                     Into into) {
  const auto frame = engine.frame();
  multiply(engine, y, operand_of(engine, x, w.type), w, bias, into);
}

template <Axis O>
[[nodiscard]] const float* checked_bias(const Tensor<float, O>& bias, O out) {
  check_extent("matmul bias", out, bias.view().template axis_at<0>());
  return bias.values().data();
}

/// The door of every product: all axes checked by name.
template <Axis R, Axis O, Axis I>
void check_product(View<float, R, O> y, In<float, R, I> x, const Matrix<O, I>& w) {
  check_extent("matmul", y.template axis_at<0>(), x.template axis_at<0>());
  check_extent("matmul", w.out, y.template axis_at<1>());
  check_extent("matmul", w.in, x.template axis_at<1>());
}

template <Axis R, Axis O, Axis I>
void product(Engine& engine, View<float, R, O> y, In<float, R, I> x, const Matrix<O, I>& w,
             const float* bias, Into into) {
  check_product<R, O, I>(y, x, w);
  multiply(engine, erase(y), erase(x), w.panels, bias, into);
}

}  // namespace detail

/// requirement::HasMatmul, without bias.
template <Axis R, Axis O, Axis I>
void matmul(Engine& engine, View<float, R, O> y, In<float, R, I> x, const Matrix<O, I>& w) {
  detail::product<R, O, I>(engine, y, x, w, nullptr, detail::Into::store);
}

/// requirement::HasMatmul, with bias.
template <Axis R, Axis O, Axis I>
void matmul(Engine& engine, View<float, R, O> y, In<float, R, I> x, const Matrix<O, I>& w,
            const std::type_identity_t<Tensor<float, O>>& bias) {
  detail::product<R, O, I>(engine, y, x, w, detail::checked_bias(bias, w.out), detail::Into::store);
}

/// y += x·Wᵀ + bias in one step (ops/fused.hpp). x is taken as it comes: where it had to be
/// converted, overload resolution would prefer the operation's parts.
template <Axis R, Axis O, Axis I, class X>
void matmul_add(Engine& engine, View<float, R, O> y, const X& x, const Matrix<O, I>& w) {
  detail::product<R, O, I>(engine, y, x, w, nullptr, detail::Into::add);
}
template <Axis R, Axis O, Axis I, class X>
void matmul_add(Engine& engine, View<float, R, O> y, const X& x, const Matrix<O, I>& w,
                const std::type_identity_t<Tensor<float, O>>& bias) {
  detail::product<R, O, I>(engine, y, x, w, detail::checked_bias(bias, w.out), detail::Into::add);
}

/// Query, key and value in one step (ops/fused.hpp): x is rounded once, and the threads meet once.
template <Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(Engine& engine, View<float, R, Q> query, View<float, R, K> key,
                View<float, R, K> value, const X& x, const ToQuery& to_query, const ToKey& to_key,
                const ToKey& to_value) {
  const Panels& q = to_query.weight.panels;
  const Panels& k = to_key.weight.panels;
  const Panels& v = to_value.weight.panels;
  if (k.type != q.type || v.type != q.type) {  // few outputs stay in float32
    return stamp::matmul_qkv(engine, query, key, value, x, to_query, to_key, to_value);
  }
  detail::check_product(query, x, to_query.weight);
  detail::check_product(key, x, to_key.weight);
  detail::check_product(value, x, to_value.weight);
  const auto frame = engine.frame();
  const detail::ConstRows from{x.data(), x.extents()[0], x.extents()[1], x.stride()};
  detail::multiply(
      engine, detail::operand_of(engine, from, q.type),
      {{erase(query), q, detail::checked_bias(to_query.bias, to_query.weight.out),
        detail::Into::store},
       {erase(key), k, detail::checked_bias(to_key.bias, to_key.weight.out), detail::Into::store},
       {erase(value), v, detail::checked_bias(to_value.bias, to_value.weight.out),
        detail::Into::store}});
}

}  // namespace stamp::cpu
