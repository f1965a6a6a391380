// SPDX-License-Identifier: Apache-2.0
// The first layer of the vision tower: a convolution whose kernel is exactly one patch.
#pragma once

#include <stamp/nn/module.hpp>
#include <stamp/ops/backend.hpp>

namespace stamp {

/// Conv3d without bias and with stride = kernel, which is a matrix product over patch vectors.
/// The file holds weight [VisionHidden, channels, frames, rows, columns].
template <Backend B>
struct PatchEmbed {
  Index channels, frames, side;
  VisionHidden hidden;
  typename B::template Matrix<VisionHidden, PatchLength> weight{};

  PatchEmbed(Index in_channels, Index temporal, Index patch, VisionHidden width)
      : channels(in_channels), frames(temporal), side(patch), hidden(width) {}

  [[nodiscard]] PatchLength patch_length() const {
    return PatchLength{channels * frames * side * side};
  }

  /// x [Patches, PatchLength], ordered channel, frame, row, column, to [Patches, VisionHidden].
  template <class T>
  [[nodiscard]] Activation<B, Patches, VisionHidden> operator()(
      B& engine, View<T, Patches, PatchLength> x) const {
    auto y = engine.template allocate<typename B::Element>(x.template axis<Patches>(), hidden);
    matmul(engine, y, x, weight);
    return y;
  }

  template <class Visit>
  void tensors(const Visit& visit) const {
    visit("proj.weight", {hidden.size, channels, frames, side, side},
          "(VisionHidden " + std::to_string(hidden.size) + ", channels " +
              std::to_string(channels) + ", frames " + std::to_string(frames) + ", rows " +
              std::to_string(side) + ", columns " + std::to_string(side) + ")");
  }
  template <class Find>
  void bind(B& engine, const Find& find) {
    weight = engine.matrix(find("proj.weight"), hidden, patch_length());
  }
};

}  // namespace stamp
