// SPDX-License-Identifier: Apache-2.0
// What an engine may do with 8-bit pictures in its own memory, so that bytes travel instead of
// numbers. No Backend has to: a session asks for it and works on the host where it is missing.
#pragma once

#include <cstdint>
#include <span>
#include <stamp/tensor/check.hpp>
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

}  // namespace requirement

}  // namespace stamp
