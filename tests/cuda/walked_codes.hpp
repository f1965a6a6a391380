// SPDX-License-Identifier: Apache-2.0
// The walked engine with its big matrices in 8-bit codes: kept, dispatched and multiplied as
// cuda/memory.hpp and cuda/matmul.hpp do it, by the kernels' bodies.
#pragma once

#include <cuda/walked_engine.hpp>
#include <stamp/cuda/panels.hpp>
#include <stamp/cuda/quantize.hpp>
#include <stamp/nn/precision.hpp>

namespace stamp::test {

/// A weight as the device would keep it; without codes where it stays bfloat16.
template <cuda::Code C, Axis Out, Axis In>
struct CodedMatrix : reference::Matrix<Out, In> {
  std::vector<C> codes{};
  std::vector<float> scales{};
};

template <cuda::Code C>
struct WalkedCodes : Walked<bfloat16> {
  using Walked<bfloat16>::Walked;
  template <Axis Out, Axis In>
  using Matrix = CodedMatrix<C, Out, In>;

  template <Axis Out, Axis In>
  [[nodiscard]] Matrix<Out, In> matrix(const StoredTensor& stored, Out out, In in) {
    Matrix<Out, In> kept{{stored, out, in}};
    if (full_ || out.size < 16) return kept;
    kept.codes.resize(static_cast<std::size_t>(out.size * in.size));
    cuda::Quantizer<C> quantizer(stored, out.size, in.size);
    quantizer(reinterpret_cast<std::byte*>(kept.codes.data()), 0, out.size * in.size);
    kept.scales = quantizer.scales();
    return kept;
  }
  void binding(std::string_view leaf) { full_ = stays_bf16(leaf); }

 private:
  bool full_ = false;
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

template <cuda::Code C, Axis R, Axis O, Axis I, class... Bias>
void matmul(WalkedCodes<C>& engine, View<bfloat16, R, O> y, In<bfloat16, R, I> x,
            const CodedMatrix<C, O, I>& w, const Bias&... bias) {
  if (w.codes.empty()) {
    const reference::Matrix<O, I>& full = w;
    return matmul(static_cast<Walked<bfloat16>&>(engine), y, x, full, bias...);
  }
  reference::detail::check_product<bfloat16, R, O, I>(y, x, w);
  (check_extent("matmul bias", w.out, bias.view().template axis_at<0>()), ...);
  std::vector<bfloat16> added;
  ((added = walked::resident<bfloat16>(bias)), ...);
  walked::coded_product(cuda::Product<bfloat16, C>{erase(y), erase(x), w.codes.data(),
                                                   sizeof...(bias) == 0 ? nullptr : added.data(),
                                                   cuda::Into::store, w.scales.data()});
}

template <cuda::Code C, Axis R, Axis Q, Axis K, class X, class ToQuery, class ToKey>
void matmul_qkv(WalkedCodes<C>& engine, View<bfloat16, R, Q> query, View<bfloat16, R, K> key,
                View<bfloat16, R, K> value, const X& x, const ToQuery& to_query,
                const ToKey& to_key, const ToKey& to_value) {
  if (query.extents()[0] > cuda::skinny_rows || to_query.weight.codes.empty() ||
      to_key.weight.codes.empty() || to_value.weight.codes.empty()) {
    return stamp::matmul_qkv(engine, query, key, value, x, to_query, to_key, to_value);
  }
  std::vector<std::vector<bfloat16>> biases;
  const auto of = [&]<class Y>(const Y& y, const auto& to) {
    biases.push_back(walked::resident<bfloat16>(to.bias));
    return cuda::Product<bfloat16, C>{erase(y),
                                      {x.data(), x.extents()[0], x.extents()[1], x.stride()},
                                      to.weight.codes.data(),
                                      biases.back().data(),
                                      cuda::Into::store,
                                      to.weight.scales.data()};
  };
  const auto first = of(query, to_query);
  const auto second = of(key, to_key);
  walked::skinny_products(cuda::JoinedProducts<bfloat16, C>{first, second, of(value, to_value)});
}

template <cuda::Code C, Axis R, Axis H, Axis F, class X>
void swiglu_mlp(WalkedCodes<C>& engine, View<bfloat16, R, H> y, const X& x,
                const CodedMatrix<C, F, H>& gate, const CodedMatrix<C, F, H>& up,
                const CodedMatrix<C, H, F>& down) {
  if (y.extents()[0] > cuda::skinny_rows || gate.codes.empty() || up.codes.empty()) {
    return stamp::swiglu_mlp(engine, y, x, gate, up, down);
  }
  const auto frame = engine.frame();
  const auto inner = engine.template allocate<bfloat16>(y.template axis_at<0>(), gate.out);
  const In<bfloat16, R, H> input = x;
  walked::skinny_swiglu(erase(inner), erase(input), gate.codes.data(), up.codes.data(),
                        gate.scales.data(), up.scales.data());
  matmul_add(engine, y, inner, down);
}

static_assert(SamBackend<WalkedCodes<std::int8_t>>);
static_assert(SamBackend<WalkedCodes<cuda::float8_e4m3>>);

}  // namespace stamp::test
