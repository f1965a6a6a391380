// SPDX-License-Identifier: Apache-2.0
// A mask seen through a coarse grid: the best that a model which fills cells could know of it.
#pragma once

#include <stamp/image/upsample.hpp>
#include <vector>

namespace stamp {

/// The share of each cell that the mask covers, [rows, columns] in 0 … 1; a pixel belongs to the
/// cell of its centre. Throws Error{usage} for a grid with more cells a side than the mask pixels.
[[nodiscard]] std::vector<float> cell_cover(const Bitmap& mask, Index rows, Index columns);

/// The mask as about `cells` cells of equal sides give it that are covered as it is: read out
/// bilinearly, foreground where more than half is covered.
[[nodiscard]] Bitmap through_cells(const Bitmap& mask, Index cells);

}  // namespace stamp
