// SPDX-License-Identifier: Apache-2.0
// What an engine may do with 8-bit pictures in its own memory, so that bytes travel instead of
// numbers. No Backend has to: a session asks for it and works on the host where it is missing.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <stamp/tensor/view.hpp>
#include <vector>

namespace stamp {

/// How one axis is read between its positions: output i is
/// input[first[i]]·(1 - share[i]) + input[second[i]]·share[i].
struct InterpolatedAxis {
  Index inputs = 0;
  std::vector<std::int32_t> first{}, second{};
  std::vector<float> share{};
  [[nodiscard]] Index outputs() const { return std::ssize(share); }
};

/// How a grid of logits is read out at the size of a picture: a pixel's logit lies between four
/// cells, and the pixel is foreground where it is above the threshold.
struct MaskReadout {
  InterpolatedAxis rows{}, columns{};
  float threshold = 0;
  [[nodiscard]] Index cells() const { return rows.inputs * columns.inputs; }
  [[nodiscard]] Index pixels() const { return rows.outputs() * columns.outputs(); }
};

/// What a picture's foreground amounts to.
struct Foreground {
  Index area = 0;          ///< pixels
  double probability = 0;  ///< Σ sigmoid(logit) over them
};

/// The door of mask_head. Error{usage} says which size does not fit, and where an axis turns back.
template <class T>
void check_mask_head(std::span<const std::uint8_t> picture, std::span<const float> logits,
                     const View<T, Tokens, Hidden>& x, const MaskReadout& readout) {
  check_count("mask_head logits", readout.cells(), logits.size());
  check_count("mask_head picture", readout.pixels(), picture.size());
  check_extent("mask_head", Tokens{readout.cells()}, x.template axis_at<0>());
  for (const InterpolatedAxis* axis : {&readout.rows, &readout.columns}) {
    check_count("mask_head axis", axis->outputs(), axis->first.size());
    check_count("mask_head axis", axis->outputs(), axis->second.size());
    std::int32_t first = 0;
    std::int32_t second = 0;
    for (std::size_t at = 0; at < axis->first.size(); ++at) {
      const bool ascending = axis->first[at] >= first && axis->second[at] >= second;
      first = axis->first[at];
      second = axis->second[at];
      if (!ascending || second < first || second >= axis->inputs) {
        fail(Fault::usage, "mask_head axis: expected neighbours in ascending order below " +
                               std::to_string(axis->inputs) + ", found " + std::to_string(first) +
                               " and " + std::to_string(second) + " at " + std::to_string(at));
      }
    }
  }
}

/// One pass of a separable resize of bytes, in 32-bit integers: output i is
/// clamp((2^(bits-1) + Σ_{j < sizes[i]} weights[i·widest + j]·input[firsts[i] + j]) >> bits, 0,
/// 255).
struct FixedFilter {
  int bits = 0;
  Index widest = 0;
  std::vector<std::int32_t> firsts{}, sizes{}, weights{};
  [[nodiscard]] Index outputs() const { return std::ssize(firsts); }
};

/// How an RGB picture [height, width, 3] becomes the patches of a vision tower: resized along its
/// rows, then along its columns (a filter without outputs leaves its axis as it is), then cut.
struct PictureCut {
  Index width = 0;
  Index height = 0;
  FixedFilter across{}, down{};
  Index side = 1;                                  ///< pixels along a side of a patch
  Index frames = 1;                                ///< how often a patch is repeated
  Index merge = 1;                                 ///< patches along a side of a group
  std::array<std::array<float, 256>, 3> levels{};  ///< what a byte of a channel becomes
  [[nodiscard]] Index resized_width() const { return across.outputs() ? across.outputs() : width; }
  [[nodiscard]] Index resized_height() const { return down.outputs() ? down.outputs() : height; }
};

/// The door of cut_picture. Error{usage} says which size does not fit.
template <class T, Axis P, Axis L>
void check_cut_picture(const View<T, P, L>& y, std::span<const std::uint8_t> pixels,
                       const PictureCut& cut) {
  check_count("cut_picture pixels", cut.height * cut.width * 3, pixels.size());
  const Index group = cut.side * cut.merge;
  if (cut.resized_width() % group != 0 || cut.resized_height() % group != 0) {
    fail(Fault::usage, "cut_picture: expected sides of a multiple of " + std::to_string(group) +
                           " pixels, found " + std::to_string(cut.resized_width()) + " x " +
                           std::to_string(cut.resized_height()));
  }
  const Index area = cut.side * cut.side;
  check_extent("cut_picture", P{cut.resized_width() * cut.resized_height() / area},
               y.template axis_at<0>());
  check_extent("cut_picture", L{3 * cut.frames * area}, y.template axis_at<1>());
}

namespace requirement {

/// mask_head(engine, picture, logits, x, norm, eps, w, bias, readout): all that stands between the
/// last layer and an object's mask. x [Tokens, Hidden] are the object's mask tokens, row by row
/// over its grid; norm [Hidden], w [1, Hidden], bias [1].
///   logits[cell] = rms_norm(x[cell])·wᵀ + bias, rounded to Element
/// For each pixel of picture [rows.outputs(), columns.outputs()], in float and in this order,
/// nothing contracted:
///   upper = logits[first row][first column]·(1 - across) + logits[first row][second column]·across
///   lower = the same of the second row
///   pixel = upper·(1 - down) + lower·down > threshold ? 1 : 0
/// picture and logits are host memory; of the same logits the pixels are those of
/// image/upsample.hpp, bit for bit. Waits. Error{usage} names what does not fit.
template <class B>
concept HasMaskHead =
    requires(B& engine, std::span<std::uint8_t> picture, std::span<float> logits,
             View<const typename B::Element, Tokens, Hidden> x,
             const typename B::template Vector<Hidden>& norm,
             const typename B::template Matrix<Logit, Hidden>& w,
             const typename B::template Vector<Logit>& bias, const MaskReadout& readout) {
      {
        mask_head(engine, picture, logits, x, norm, 1e-6, w, bias, readout)
      } -> std::same_as<Foreground>;
    };

/// cut_picture(engine, y, pixels, cut): the patches of a picture whose bytes lie in host memory.
/// y [Patches, PatchLength] runs row by row over groups of merge · merge patches and row by row
/// inside a group; a patch is ordered channel, frame, row, column (image/patches.hpp):
///   y[patch][channel][frame][row][column] = cut.levels[channel][the resized picture's byte]
/// rounded to Element, as an upload of those numbers would be.
template <class B>
concept CutsPictures = requires(B& engine, View<typename B::Element, Patches, PatchLength> y,
                                std::span<const std::uint8_t> pixels,
                                const PictureCut& cut) { cut_picture(engine, y, pixels, cut); };

}  // namespace requirement

}  // namespace stamp
