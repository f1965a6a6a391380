// SPDX-License-Identifier: Apache-2.0
// What sharpens a conversation's masks. The conversation knows no SAM and no engine of SAM's, so
// one that refines nothing includes none of it (sam_refiner.hpp makes one).
#pragma once

#include <functional>
#include <stamp/image/image.hpp>
#include <string>

namespace stamp {

/// A mask after refinement. Where that was not possible the coarse mask stays and `reason` tells
/// why.
struct RefinedMask {
  Bitmap mask;
  bool refined = false;
  std::string reason{};
};

/// One image, many masks: `look` once an image, then `refine` for any mask of it, the number-th of
/// its answer.
struct MaskRefiner {
  std::function<void(const Image& image)> look{};
  std::function<RefinedMask(const Bitmap& coarse, Index number)> refine{};
  [[nodiscard]] explicit operator bool() const { return look && refine; }
};

}  // namespace stamp
