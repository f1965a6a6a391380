// SPDX-License-Identifier: Apache-2.0
// A mask at its picture's size, made on the device: a logit a cell travels there, a byte a pixel
// and twelve bytes a row travel back.
#pragma once

#include <stamp/cuda/kernels.hpp>
#include <stamp/cuda/memory.hpp>
#include <stamp/ops/picture.hpp>

namespace stamp::cuda {

/// InterpolatedAxis on the device.
struct AxisReading {
  const std::int32_t* first;
  const std::int32_t* second;
  const float* share;
};

/// requirement::ThresholdsPictures; one area and one sum of probabilities a row.
struct ThresholdPicture {
  std::uint8_t* cells;    ///< [height, width]
  double* probabilities;  ///< [height]
  std::int32_t* areas;    ///< [height]
  const float* logits;    ///< [grid rows, grid_columns]
  Index grid_columns;
  AxisReading rows, columns;
  Index height, width;
  float threshold;
};

namespace kernel {
void threshold_picture(Stream stream, const ThresholdPicture& call);
}

namespace detail {

template <DeviceElement T>
[[nodiscard]] AxisReading resident_axis(Engine<T>& engine, const InterpolatedAxis& axis) {
  const Pixels outputs{axis.outputs()};
  const auto numbers = [&]<class U>(const std::vector<U>& host) -> const U* {
    const auto view = engine.template allocate<U>(outputs);
    engine.upload(view, std::span<const U>(host));
    return view.data();
  };
  return {numbers(axis.first), numbers(axis.second), numbers(axis.share)};
}

}  // namespace detail

/// requirement::ThresholdsPictures
template <DeviceElement T>
[[nodiscard]] Foreground threshold_picture(Engine<T>& engine, std::span<std::uint8_t> cells,
                                           std::span<const float> logits,
                                           const InterpolatedAxis& rows,
                                           const InterpolatedAxis& columns, float threshold) {
  check_threshold_picture(cells, logits, rows, columns);
  if (cells.empty()) return {};
  const auto frame = engine.frame();
  const Pixels height{rows.outputs()};
  const auto grid = engine.template allocate<float>(Pixels{std::ssize(logits)});
  engine.upload(grid, logits);
  const ThresholdPicture call{
      engine.template allocate<std::uint8_t>(Pixels{std::ssize(cells)}).data(),
      engine.template allocate<double>(height).data(),
      engine.template allocate<std::int32_t>(height).data(),
      grid.data(),
      columns.inputs,
      detail::resident_axis(engine, rows),
      detail::resident_axis(engine, columns),
      height.size,
      columns.outputs(),
      threshold};
  kernel::threshold_picture(engine.device().stream(), call);

  std::vector<double> probabilities(rows.share.size());
  std::vector<std::int32_t> areas(rows.share.size());
  detail::download_bytes(engine.device(), cells, call.cells);
  detail::download_bytes(engine.device(), std::span(probabilities), call.probabilities);
  detail::download_bytes(engine.device(), std::span(areas), call.areas);
  Foreground foreground;
  for (const double probability : probabilities) foreground.probability += probability;
  for (const std::int32_t area : areas) foreground.area += area;
  return foreground;
}

}  // namespace stamp::cuda
