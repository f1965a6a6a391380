// SPDX-License-Identifier: Apache-2.0
// The MLP of SAM's blocks, one for the image encoder and the transformer of the mask decoder.
// Mirrors MLPBlock of segment_anything/modeling/common.py.
#pragma once

#include <stamp/nn/linear.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/sam_backend.hpp>
#include <tuple>

namespace stamp::sam {

/// torch.nn.GELU, in place: the activation of the image encoder.
struct Gelu {
  template <SamBackend B, Axis Row, Axis A>
  void operator()(B& engine, View<typename B::Element, Row, A> x) const {
    gelu(engine, x);
  }
};

/// torch.nn.ReLU, in place: the activation of the mask decoder.
struct Relu {
  template <SamBackend B, Axis Row, Axis A>
  void operator()(B& engine, View<typename B::Element, Row, A> x) const {
    relu(engine, x);
  }
};

/// lin2(Activate(lin1(x))), from Width to Inner and back.
template <SamBackend B, Axis Width, Axis Inner, class Activate>
struct MlpBlock {
  Linear<B, Width, Inner> lin1;
  Linear<B, Inner, Width> lin2;

  static constexpr auto parts =
      std::tuple{Part{"lin1", &MlpBlock::lin1}, Part{"lin2", &MlpBlock::lin2}};

  MlpBlock(Width width, Inner inner) : lin1(width, inner), lin2(inner, width) {}

  /// y += mlp(x), both [Row, Width]; x may be y.
  template <class T, Axis Row>
  void operator()(B& engine, Activation<B, Row, Width> y, View<T, Row, Width> x) const {
    const auto frame = engine.frame();
    const auto inner = lin1(engine, x);
    Activate{}(engine, inner);
    matmul_add(engine, y, inner, lin2.weight, lin2.bias);
  }
};

}  // namespace stamp::sam
