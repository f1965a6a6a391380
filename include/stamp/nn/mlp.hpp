// SPDX-License-Identifier: Apache-2.0
// The gated MLP of the language model and the plain one of the vision tower.
#pragma once

#include <stamp/nn/linear.hpp>
#include <stamp/nn/rms_norm.hpp>
#include <stamp/ops/fused.hpp>

namespace stamp {

/// Qwen2MLP: down(silu(gate(x)) · up(x)), no biases.
template <Backend B>
struct SwiGlu {
  Linear<B, Hidden, Ffn, Bias::none> gate_proj, up_proj;
  Linear<B, Ffn, Hidden, Bias::none> down_proj;

  static constexpr auto parts =
      std::tuple{Part{"gate_proj", &SwiGlu::gate_proj}, Part{"up_proj", &SwiGlu::up_proj},
                 Part{"down_proj", &SwiGlu::down_proj}};
  static constexpr std::size_t of_one_input = 2;  ///< SharesInput

  SwiGlu(Hidden hidden, Ffn ffn)
      : gate_proj(hidden, ffn), up_proj(hidden, ffn), down_proj(ffn, hidden) {}

  /// y += mlp(x), both [Tokens, Hidden].
  template <class T>
  void operator()(B& engine, Activation<B, Tokens, Hidden> y, View<T, Tokens, Hidden> x) const {
    swiglu_mlp(engine, y, x, gate_proj.weight, up_proj.weight, down_proj.weight);
  }
  /// y += mlp(norm(y)).
  void operator()(B& engine, Activation<B, Tokens, Hidden> y,
                  const RmsNorm<B, Hidden>& norm) const {
    rms_norm_swiglu_mlp(engine, y, norm, gate_proj.weight, up_proj.weight, down_proj.weight);
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

  /// y += mlp(x), both [Patches, VisionHidden].
  template <class T>
  void operator()(B& engine, Activation<B, Patches, VisionHidden> y,
                  View<T, Patches, VisionHidden> x) const {
    quick_gelu_mlp(engine, y, x, fc1.weight, fc1.bias, fc2.weight, fc2.bias);
  }
};

}  // namespace stamp
