// SPDX-License-Identifier: Apache-2.0
// The gated MLP of the language model and the plain one of the vision tower.
#pragma once

#include <stamp/nn/linear.hpp>

namespace stamp {

/// Qwen2MLP: down(silu(gate(x)) · up(x)), no biases.
template <Backend B>
struct SwiGlu {
  Linear<B, Hidden, Ffn, Bias::none> gate_proj, up_proj;
  Linear<B, Ffn, Hidden, Bias::none> down_proj;

  static constexpr auto parts =
      std::tuple{Part{"gate_proj", &SwiGlu::gate_proj}, Part{"up_proj", &SwiGlu::up_proj},
                 Part{"down_proj", &SwiGlu::down_proj}};

  SwiGlu(Hidden hidden, Ffn ffn)
      : gate_proj(hidden, ffn), up_proj(hidden, ffn), down_proj(ffn, hidden) {}

  /// x [Tokens, Hidden] to a new activation of that shape.
  template <class T>
  [[nodiscard]] Activation<B, Tokens, Hidden> operator()(B& engine,
                                                         View<T, Tokens, Hidden> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis<Tokens>(),
                                                           x.template axis<Hidden>());
    const auto frame = engine.frame();
    auto gate = gate_proj(engine, x);
    swiglu(engine, gate, up_proj(engine, x));
    matmul(engine, y, gate, down_proj.weight);
    return y;
  }
};

/// VisionMlp: fc2(quick_gelu(fc1(x))).
template <Backend B>
struct QuickGeluMlp {
  Linear<B, VisionHidden, VisionFfn> fc1;
  Linear<B, VisionFfn, VisionHidden> fc2;

  static constexpr auto parts =
      std::tuple{Part{"fc1", &QuickGeluMlp::fc1}, Part{"fc2", &QuickGeluMlp::fc2}};

  QuickGeluMlp(VisionHidden hidden, VisionFfn ffn) : fc1(hidden, ffn), fc2(ffn, hidden) {}

  /// x [Patches, VisionHidden] to a new activation of that shape.
  template <class T>
  [[nodiscard]] Activation<B, Patches, VisionHidden> operator()(
      B& engine, View<T, Patches, VisionHidden> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis<Patches>(),
                                                           x.template axis<VisionHidden>());
    const auto frame = engine.frame();
    auto inner = fc1(engine, x);
    quick_gelu(engine, inner);
    matmul(engine, y, inner, fc2.weight, fc2.bias);
    return y;
  }
};

}  // namespace stamp
