// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/cell_cover.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/cell_cover.hpp>

namespace stamp {

std::vector<float> cell_cover(const Bitmap& mask, Index rows, Index columns) {
  if (rows < 1 || columns < 1 || rows > mask.height || columns > mask.width) {
    fail(Fault::usage, "cell_cover: expected a grid of 1 x 1 to " + std::to_string(mask.height) +
                           " x " + std::to_string(mask.width) + " cells, found " +
                           std::to_string(rows) + " x " + std::to_string(columns));
  }
  std::vector<float> covered(static_cast<std::size_t>(rows * columns), 0.0F);
  std::vector<float> pixels(covered.size(), 0.0F);
  for (Index y = 0; y < mask.height; ++y) {
    for (Index x = 0; x < mask.width; ++x) {
      const Index row = (2 * y + 1) * rows / (2 * mask.height);
      const Index column = (2 * x + 1) * columns / (2 * mask.width);
      const auto cell = static_cast<std::size_t>(row * columns + column);
      pixels[cell] += 1;
      covered[cell] += mask.cells[static_cast<std::size_t>(y * mask.width + x)] != 0 ? 1.0F : 0.0F;
    }
  }
  for (std::size_t cell = 0; cell < covered.size(); ++cell) covered[cell] /= pixels[cell];
  return covered;
}

Bitmap through_cells(const Bitmap& mask, Index cells) {
  const auto count = [&](Index side, Index other) {
    const double exact = std::sqrt(static_cast<double>(cells) * static_cast<double>(side) /
                                   static_cast<double>(other));
    return std::clamp<Index>(std::lround(exact), 1, side);
  };
  const Index rows = count(mask.height, mask.width);
  const Index columns = count(mask.width, mask.height);
  const std::vector<float> cover = cell_cover(mask, rows, columns);
  return upsample(cover, rows, columns, mask.width, mask.height, Upsample::bilinear, 0.5F).mask;
}

}  // namespace stamp
