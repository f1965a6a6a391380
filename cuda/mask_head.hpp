// SPDX-License-Identifier: Apache-2.0
// From the last layer to an object's mask in one launch: the last norm, the classifier, logits at
// the picture's size, and the cut. A byte a pixel comes back, and a number a cell and a tile.
#pragma once

#include <bit>
#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/mask_tiles.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/cuda/norm_matmul.hpp>
#include <utility>
#include <vector>

namespace stamp::cuda {

/// Foreground as shared memory can hold it, without a constructor.
struct TileForeground {
  Index area;
  double probability;
};

/// requirement::HasMaskHead on the device; logits are rounded to T and kept in float.
template <class T>
struct MaskHead {
  std::uint8_t* picture;        ///< [rows.outputs, columns.outputs]
  float* logits;                ///< [rows.inputs, columns.inputs]
  TileForeground* foregrounds;  ///< [rows.tiles, columns.tiles]
  Erased<const T> x;            ///< [cells, Hidden]
  const T* norm;
  const T* weight;
  const T* bias;
  float eps;
  AxisReading rows, columns;
  float threshold;
};

/// Every row of every operand can be read 16 bytes at once.
template <class T>
[[nodiscard]] bool aligned_operands(const MaskHead<T>& call) {
  return aligned_rows(call.x.data, call.x.stride) && aligned_rows(call.norm, call.x.columns) &&
         aligned_rows(call.weight, call.x.columns);
}

namespace kernel {
/// `window` as window_of.
template <DeviceElement T>
void mask_head(Stream stream, const MaskHead<T>& call, Index window);
}  // namespace kernel

namespace detail {

/// Both axes' neighbours and shares, sent as one. The readings' pointers become the device's.
template <DeviceElement T>
void send_axes(Engine<T>& engine, const MaskReadout& readout, AxisReading& rows,
               AxisReading& columns) {
  std::vector<std::int32_t> numbers;
  numbers.reserve(static_cast<std::size_t>(3 * (Index{rows.outputs} + columns.outputs)));
  for (const InterpolatedAxis* axis : {&readout.rows, &readout.columns}) {
    numbers.insert(numbers.end(), axis->first.begin(), axis->first.end());
    numbers.insert(numbers.end(), axis->second.begin(), axis->second.end());
    for (const float share : axis->share) numbers.push_back(std::bit_cast<std::int32_t>(share));
  }
  const auto sent = engine.template allocate<std::int32_t>(Pixels{std::ssize(numbers)});
  engine.upload(sent, std::span<const std::int32_t>(numbers));
  const std::int32_t* from = sent.data();
  for (AxisReading* axis : {&rows, &columns}) {
    axis->first = std::exchange(from, from + axis->outputs);
    axis->second = std::exchange(from, from + axis->outputs);
    axis->share = reinterpret_cast<const float*>(std::exchange(from, from + axis->outputs));
  }
}

}  // namespace detail

/// requirement::HasMaskHead
template <DeviceElement T>
[[nodiscard]] Foreground mask_head(Engine<T>& engine, std::span<std::uint8_t> picture,
                                   std::span<float> logits, In<T, Tokens, Hidden> x,
                                   const Kept<T, Hidden>& norm, double eps,
                                   const Matrix<T, Logit, Hidden>& w, const Kept<T, Logit>& bias,
                                   const MaskReadout& readout) {
  check_mask_head(picture, logits, x, readout);
  check_extent("mask_head", Logit{1}, w.out);
  check_extent("mask_head", w.in, x.template axis_at<1>());
  check_extent("mask_head norm", w.in, norm.view().template axis_at<0>());
  check_extent("mask_head bias", w.out, bias.view().template axis_at<0>());
  AxisReading rows = reading_of(readout.rows, tile_rows);
  AxisReading columns = reading_of(readout.columns, tile_columns);
  const Index window = window_of(rows, columns);

  const auto frame = engine.frame();
  detail::send_axes(engine, readout, rows, columns);
  std::vector<TileForeground> foregrounds(
      static_cast<std::size_t>(Index{rows.tiles} * columns.tiles));
  const auto of_tiles = std::as_writable_bytes(std::span(foregrounds));
  const auto of_cells = std::as_writable_bytes(logits);
  const auto of_pixels = std::as_writable_bytes(picture);
  // Side by side, so that one copy brings them; the widest numbers first.
  auto* const found = engine
                          .template allocate<std::uint8_t>(Pixels{
                              std::ssize(of_tiles) + std::ssize(of_cells) + std::ssize(of_pixels)})
                          .data();
  auto* const cells = found + of_tiles.size();
  const MaskHead<T> call{cells + of_cells.size(),
                         reinterpret_cast<float*>(cells),
                         reinterpret_cast<TileForeground*>(found),
                         erase(x),
                         norm.view().data(),
                         w.template numbers<T>(),
                         bias.view().data(),
                         static_cast<float>(eps),
                         rows,
                         columns,
                         readout.threshold};
  kernel::mask_head<T>(engine.device().stream(), call, window);
  detail::download_pieces(engine.device(), found, {of_tiles, of_cells, of_pixels});

  Foreground sum;
  for (const TileForeground& of_tile : foregrounds) {
    sum.area += of_tile.area;
    sum.probability += of_tile.probability;
  }
  return sum;
}

}  // namespace stamp::cuda
