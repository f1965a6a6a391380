// SPDX-License-Identifier: Apache-2.0
// The two MLPs with their inner activations kept as words of the second product's weights: they
// are written once, at the width of those weights, and never as floats (int8 needs whole rows of
// floats first, to find each row's scale).
#pragma once

#include <stamp/cpu/matmul.hpp>

namespace stamp::cpu {

namespace detail {

/// Where inner activations go, a strip at a time.
class Inner {
 public:
  Inner(Engine& engine, Index rows, Index width, Compute type)
      : type_(type), rows_(rows), width_(width) {
    floats_ = type == Compute::int8 || type == Compute::fp32 || rows <= skinny_rows;
    stride_ = floats_ ? width : round_up(width, 2) / 2;
    words_ = engine.arena().allocate<std::uint32_t>(rows * stride_);
    if (!floats_ && width % 2 == 1) {
      for (Index row = 0; row < rows; ++row) words_[(row + 1) * stride_ - 1] = 0;
    }
  }

  /// Rows of 64 numbers from `row` on, `width` of which count.
  void put(const Kernels& k, Index row, Index rows, Index column, Index width,
           const float* strip) const {
    std::uint32_t* const to = words_ + row * stride_;
    if (floats_) {
      return k.finish(reinterpret_cast<float*>(to) + column, stride_, strip, rows, width, nullptr,
                      false);
    }
    for (Index at = 0; at < rows; ++at) {
      k.to_bf16(reinterpret_cast<std::uint16_t*>(to + at * stride_) + column,
                strip + at * panel_width, width);
    }
  }

  [[nodiscard]] Operand operand(Engine& engine) const {
    if (!floats_) return {words_, stride_};
    return operand_of(engine, {reinterpret_cast<const float*>(words_), rows_, width_, stride_},
                      type_);
  }

 private:
  Compute type_;
  Index rows_;
  Index width_;
  Index stride_ = 0;
  bool floats_ = false;
  std::uint32_t* words_ = nullptr;
};

inline void quick_gelu_mlp(Engine& engine, Rows y, ConstRows x, const Panels& fc1,
                           const float* bias1, const Panels& fc2, const float* bias2) {
  const auto frame = engine.frame();
  const Kernels& k = engine.kernels();
  const Inner inner(engine, x.rows, fc1.out, fc2.type);
  const Operand operand = operand_of(engine, x, fc1.type);
  for_each_strip(engine, x.rows, fc1.panels(), fc1.words, 1,
                 [&](Index first, Index rows, Index panel, float* strip) {
                   const Block block{operand, first, rows, fc1, panel};
                   block.sum(k, strip);
                   block.finish(k, strip, panel_width, strip, bias1, false);
                   k.quick_gelu(strip, rows * panel_width);
                   inner.put(k, first, rows, block.column(), block.width(), strip);
                 });
  multiply(engine, y, inner.operand(engine), fc2, bias2, Into::add);
}

inline void swiglu_mlp(Engine& engine, Rows y, ConstRows x, const Panels& gate, const Panels& up,
                       const Panels& down) {
  const auto frame = engine.frame();
  const Kernels& k = engine.kernels();
  const Inner inner(engine, x.rows, gate.out, down.type);
  const Operand operand = operand_of(engine, x, gate.type);
  for_each_strip(engine, x.rows, gate.panels(), gate.words, 2,
                 [&](Index first, Index rows, Index panel, float* strip) {
                   float* const other = strip + rows * panel_width;
                   const Block left{operand, first, rows, gate, panel};
                   const Block right{operand, first, rows, up, panel};
                   left.sum(k, strip);
                   left.finish(k, strip, panel_width, strip, nullptr, false);
                   right.sum(k, other);
                   right.finish(k, other, panel_width, other, nullptr, false);
                   k.swiglu(strip, other, rows * panel_width);
                   inner.put(k, first, rows, left.column(), left.width(), strip);
                 });
  multiply(engine, y, inner.operand(engine), down, nullptr, Into::add);
}

}  // namespace detail

/// y += fc2(quick_gelu(fc1(x))) (ops/fused.hpp).
template <Axis R, Axis H, Axis F, class X>
void quick_gelu_mlp(Engine& engine, View<float, R, H> y, const X& x, const Matrix<F, H>& fc1,
                    const Tensor<float, F>& bias1, const Matrix<H, F>& fc2,
                    const Tensor<float, H>& bias2) {
  check_same_shape("quick_gelu_mlp", y, x);
  check_extent("quick_gelu_mlp", fc1.in, x.template axis_at<1>());
  check_extent("quick_gelu_mlp", fc1.out, fc2.in);
  check_extent("quick_gelu_mlp", fc2.out, y.template axis_at<1>());
  detail::quick_gelu_mlp(engine, erase(y), erase(In<float, R, H>(x)), fc1.panels,
                         detail::checked_bias(bias1, fc1.out), fc2.panels,
                         detail::checked_bias(bias2, fc2.out));
}

/// y += down(silu(gate(x))·up(x)) (ops/fused.hpp).
template <Axis R, Axis H, Axis F, class X>
void swiglu_mlp(Engine& engine, View<float, R, H> y, const X& x, const Matrix<F, H>& gate,
                const Matrix<F, H>& up, const Matrix<H, F>& down) {
  check_same_shape("swiglu_mlp", y, x);
  check_extent("swiglu_mlp", gate.in, x.template axis_at<1>());
  check_extent("swiglu_mlp", up.in, gate.in);
  check_extent("swiglu_mlp", up.out, gate.out);
  check_extent("swiglu_mlp", gate.out, down.in);
  check_extent("swiglu_mlp", down.out, y.template axis_at<1>());
  detail::swiglu_mlp(engine, erase(y), erase(In<float, R, H>(x)), gate.panels, up.panels,
                     down.panels);
}

}  // namespace stamp::cpu
