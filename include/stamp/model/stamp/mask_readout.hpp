// SPDX-License-Identifier: Apache-2.0
// What mask tokens say, from their last hidden states: a logit a cell, and the mask at its
// picture's size where the engine makes that in its own memory.
//
//   l_i = w · RMSNorm(h_i) + b           foreground where l_i > 0
#pragma once

#include <concepts>
#include <cstdint>
#include <stamp/model/stamp/model.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/ops/picture.hpp>
#include <vector>

namespace stamp {

/// A mask before it is a picture: logits [rows, columns] on the merged grid of the last image.
template <std::floating_point Number>
struct MaskLogits {
  Index token = 0;  ///< position of its `<|seg|>` in the dialogue
  Index rows = 0;
  Index columns = 0;
  std::vector<Number> values;
};

/// And as a picture.
template <std::floating_point Number>
struct MaskPicture {
  MaskLogits<Number> logits;
  std::vector<std::uint8_t> pixels;  ///< row by row, 1 where foreground
  Foreground foreground;
};

/// l of every row of h [Tokens, Hidden].
template <Backend B>
[[nodiscard]] std::vector<typename B::Number> mask_logits(B& engine, const Stamp<B>& stamp,
                                                          Activation<B, Tokens, Hidden> h) {
  const auto& norm = stamp.model.norm;
  const auto& classifier = stamp.classifier;
  const auto frame = engine.frame();
  const auto scores =
      engine.template allocate<typename B::Element>(h.template axis<Tokens>(), classifier.out);
  rms_norm_matmul(engine, scores, h, norm.weight, norm.eps, classifier.weight, classifier.bias);
  std::vector<typename B::Number> logits(static_cast<std::size_t>(h.extents()[0]));
  engine.download(std::span(logits), scores);
  return logits;
}

/// mask = l of every row of h, and the picture that `readout` makes of them; h [Tokens, Hidden] are
/// the mask tokens of one object.
template <requirement::HasMaskHead B>
void mask_picture(B& engine, const Stamp<B>& stamp, MaskPicture<typename B::Number>& mask,
                  Activation<B, Tokens, Hidden> h, const MaskReadout& readout) {
  const auto& norm = stamp.model.norm;
  const auto& classifier = stamp.classifier;
  mask.logits.values.resize(static_cast<std::size_t>(h.extents()[0]));
  mask.pixels.resize(static_cast<std::size_t>(readout.pixels()));
  mask.foreground = mask_head(engine, std::span(mask.pixels), std::span(mask.logits.values), h,
                              norm.weight, norm.eps, classifier.weight, classifier.bias, readout);
}

}  // namespace stamp
