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

/// What a picture's foreground amounts to.
struct Foreground {
  Index area = 0;          ///< pixels
  double probability = 0;  ///< Σ sigmoid(logit) over them
};

/// The door of threshold_picture. Error{usage} says which size does not fit.
inline void check_threshold_picture(std::span<const std::uint8_t> cells,
                                    std::span<const float> logits, const InterpolatedAxis& rows,
                                    const InterpolatedAxis& columns) {
  check_count("threshold_picture cells", rows.outputs() * columns.outputs(), cells.size());
  check_count("threshold_picture logits", rows.inputs * columns.inputs, logits.size());
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

/// threshold_picture(engine, cells, logits, rows, columns, threshold): a grid of logits
/// [rows.inputs, columns.inputs] read out at the size of a picture and cut. For each pixel of
/// cells [rows.outputs(), columns.outputs()], in float and in this order, nothing contracted:
///   upper = logits[first row][first column]·(1 - across) + logits[first row][second column]·across
///   lower = the same of the second row
///   cell  = upper·(1 - down) + lower·down > threshold ? 1 : 0
/// All of it is host memory; cells are those of image/upsample.hpp, bit for bit. Waits.
template <class B>
concept ThresholdsPictures = requires(B& engine, std::span<std::uint8_t> cells,
                                      std::span<const float> logits, const InterpolatedAxis& axis) {
  { threshold_picture(engine, cells, logits, axis, axis, 0.0F) } -> std::same_as<Foreground>;
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
