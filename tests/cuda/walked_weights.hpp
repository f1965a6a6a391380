// SPDX-License-Identifier: Apache-2.0
// The walked engine with its big matrices in 8-bit codes: kept, dispatched and multiplied as
// cuda/memory.hpp and cuda/matmul.hpp do it, by the kernels' bodies.
#pragma once

#include <cuda/walked_engine.hpp>
#include <stamp/cuda/kept.hpp>
#include <stamp/cuda/panels.hpp>
#include <stamp/cuda/precision.hpp>
#include <stamp/cuda/quantize.hpp>

namespace stamp::test {

/// A weight as the device would keep it; without codes where it stays bfloat16.
template <Axis Out, Axis In>
struct CodedMatrix : reference::Matrix<Out, In> {
  cuda::Weights kept = cuda::Weights::full;
  std::vector<std::byte> codes{};
  std::vector<float> scales{};

  /// Into y from x by these weights; bias may be null.
  template <class W>
  [[nodiscard]] cuda::Product<bfloat16, W> product(Erased<bfloat16> y, Erased<const bfloat16> x,
                                                   const bfloat16* bias) const {
    return {y, x, reinterpret_cast<const W*>(codes.data()), bias, cuda::Into::store, scales.data()};
  }
};

struct WalkedWeights : Walked<bfloat16> {
  template <Axis Out, Axis In>
  using Matrix = CodedMatrix<Out, In>;

  WalkedWeights(Index threads, cuda::Weights weights)
      : Walked<bfloat16>(threads), wanted_(weights), weights_(weights) {}

  template <Axis Out, Axis In>
  [[nodiscard]] Matrix<Out, In> matrix(const StoredTensor& stored, Out out, In in) {
    Matrix<Out, In> matrix{{stored, out, in}};
    if (out.size >= 16) matrix.kept = weights_;
    cuda::with_kept<bfloat16>(matrix.kept, [&]<class W>() {
      if constexpr (cuda::Code<W>) {
        matrix.codes.resize(static_cast<std::size_t>(out.size * in.size));
        cuda::Quantizer<W> quantizer(stored, out.size, in.size);
        quantizer(matrix.codes.data(), 0, out.size * in.size);
        matrix.scales = quantizer.scales();
      }
    });
    return matrix;
  }
  void binding(std::string_view leaf) { weights_ = cuda::weights_for(leaf, wanted_); }

 private:
  cuda::Weights wanted_;
  cuda::Weights weights_;
};

namespace walked {

/// Few rows by the kernel for codes; more by the product with panels widened to bfloat16.
template <cuda::Code C>
void coded_product(const cuda::Product<bfloat16, C>& p, Index most = cuda::panel_numbers) {
  if (cuda::is_skinny(p.y.rows, p.y.columns)) {
    return skinny_products(cuda::JoinedProducts<bfloat16, C>{p, {}, {}});
  }
  const cuda::OutputPanels panels{p.y.columns, p.x.columns, most};
  std::vector<bfloat16> wide(static_cast<std::size_t>(panels.height() * p.x.columns));
  cuda::for_each_panel(p, panels, [&](const cuda::Product<bfloat16, C>& part) {
    widen_rows<C>({wide.data(), part.y.columns, p.x.columns, p.x.columns}, part.w, part.scales);
    skinny_products(cuda::JoinedProducts<bfloat16>{
        cuda::widened(part, static_cast<const bfloat16*>(wide.data())), {}, {}});
  });
}

}  // namespace walked

template <Axis R, Axis O, Axis I, class... Bias>
void matmul(WalkedWeights& engine, View<bfloat16, R, O> y, In<bfloat16, R, I> x,
            const CodedMatrix<O, I>& w, const Bias&... bias) {
  cuda::with_kept<bfloat16>(w.kept, [&]<class W>() {
    if constexpr (cuda::Code<W>) {
      reference::detail::check_product<bfloat16, R, O, I>(y, x, w);
      (check_extent("matmul bias", w.out, bias.view().template axis_at<0>()), ...);
      std::vector<bfloat16> added;
      ((added = walked::resident<bfloat16>(bias)), ...);
      walked::coded_product(
          w.template product<W>(erase(y), erase(x), sizeof...(bias) == 0 ? nullptr : added.data()));
    } else {
      const reference::Matrix<O, I>& full = w;
      matmul(static_cast<Walked<bfloat16>&>(engine), y, x, full, bias...);
    }
  });
}

template <Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(WalkedWeights& engine, View<bfloat16, R, Q> query, View<bfloat16, R, K> key,
                View<bfloat16, R, K> value, const X& x, const ToQuery& to_query,
                const ToKey& to_key, const ToKey& to_value) {
  const cuda::Weights kept = to_query.weight.kept;
  cuda::with_kept<bfloat16>(kept, [&]<class W>() {
    if constexpr (cuda::Code<W>) {
      if (query.extents()[0] <= cuda::skinny_rows && to_key.weight.kept == kept &&
          to_value.weight.kept == kept) {
        const auto to_q = walked::resident<bfloat16>(to_query.bias);
        const auto to_k = walked::resident<bfloat16>(to_key.bias);
        const auto to_v = walked::resident<bfloat16>(to_value.bias);
        const Erased<const bfloat16> from{x.data(), x.extents()[0], x.extents()[1], x.stride()};
        return walked::skinny_products(cuda::JoinedProducts<bfloat16, W>{
            to_query.weight.template product<W>(erase(query), from, to_q.data()),
            to_key.weight.template product<W>(erase(key), from, to_k.data()),
            to_value.weight.template product<W>(erase(value), from, to_v.data())});
      }
    }
    stamp::matmul_qkv(engine, query, key, value, x, to_query, to_key, to_value);
  });
}

template <Axis R, Axis H, Axis F, class X>
void swiglu_mlp(WalkedWeights& engine, View<bfloat16, R, H> y, const X& x,
                const CodedMatrix<F, H>& gate, const CodedMatrix<F, H>& up,
                const CodedMatrix<H, F>& down) {
  cuda::with_kept<bfloat16>(gate.kept, [&]<class W>() {
    if constexpr (cuda::Code<W>) {
      if (y.extents()[0] <= cuda::skinny_rows && up.kept == gate.kept) {
        const auto frame = engine.frame();
        const auto inner = engine.template allocate<bfloat16>(y.template axis_at<0>(), gate.out);
        const In<bfloat16, R, H> input = x;
        const cuda::GateAndUp<W> weights{reinterpret_cast<const W*>(gate.codes.data()),
                                         reinterpret_cast<const W*>(up.codes.data()),
                                         gate.scales.data(), up.scales.data()};
        walked::skinny_swiglu(erase(inner), erase(input), weights);
        return matmul_add(engine, y, inner, down);
      }
    }
    stamp::swiglu_mlp(engine, y, x, gate, up, down);
  });
}

static_assert(SamBackend<WalkedWeights>);

}  // namespace stamp::test
