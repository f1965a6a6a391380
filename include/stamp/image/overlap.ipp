// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/overlap.hpp>.
#pragma once

#include <algorithm>
#include <cmath>
#include <stamp/image/overlap.hpp>
#include <string>

namespace stamp {

double intersection_over_union(const Bitmap& a, const Bitmap& b) {
  if (a.width != b.width || a.height != b.height) {
    fail(Fault::usage, "overlap: expected masks of one size, found " + std::to_string(a.width) +
                           " x " + std::to_string(a.height) + " and " + std::to_string(b.width) +
                           " x " + std::to_string(b.height));
  }
  Index both = 0;
  Index either = 0;
  for (std::size_t at = 0; at < a.cells.size(); ++at) {
    both += a.cells[at] != 0 && b.cells[at] != 0 ? 1 : 0;
    either += a.cells[at] != 0 || b.cells[at] != 0 ? 1 : 0;
  }
  return either == 0 ? 1 : static_cast<double>(both) / static_cast<double>(either);
}

Bitmap inner_band(const Bitmap& mask, Index reach) {
  // A pixel is further inside when the whole square of 2·reach + 1 around it is the mask's: rows
  // first, then columns, each by the length of the run that ends `reach` further on.
  const auto eroded = [reach](const Bitmap& from, Index lines, Index length, Index line_step,
                              Index step) {
    Bitmap result = from;
    for (Index line = 0; line < lines; ++line) {
      const auto place = [&](Index at) {
        return static_cast<std::size_t>(line * line_step + at * step);
      };
      Index run = 0;
      for (Index end = 0; end < length + reach; ++end) {
        run = end < length && from.cells[place(end)] != 0 ? run + 1 : 0;
        if (end >= reach) result.cells[place(end - reach)] = run >= 2 * reach + 1 ? 1 : 0;
      }
    }
    return result;
  };
  const Bitmap rows = eroded(mask, mask.height, mask.width, mask.width, 1);
  const Bitmap inside = eroded(rows, mask.width, mask.height, 1, mask.width);
  Bitmap band = mask;
  for (std::size_t at = 0; at < band.cells.size(); ++at) {
    band.cells[at] = mask.cells[at] != 0 && inside.cells[at] == 0 ? 1 : 0;
  }
  return band;
}

double boundary_iou(const Bitmap& a, const Bitmap& b, double share) {
  const double diagonal = std::hypot(static_cast<double>(a.width), static_cast<double>(a.height));
  const Index reach = std::max<Index>(1, std::lround(share * diagonal));
  return intersection_over_union(inner_band(a, reach), inner_band(b, reach));
}

}  // namespace stamp
