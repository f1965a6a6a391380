// SPDX-License-Identifier: Apache-2.0
// STAMP's cascade over SAM as what sharpens a conversation's masks.
#pragma once

#include <memory>
#include <stamp/session/mask_refiner.hpp>
#include <stamp/session/sam_model.hpp>

namespace stamp {

/// Refers to `model`, which must outlive it; keeps the encoded image of the last `look`. Mask k of
/// an answer draws its points with seed options.seed + k.
template <SamBackend B>
[[nodiscard]] MaskRefiner sam_refiner(SamModel<B>& model, const sam::CascadeOptions& options = {}) {
  auto predictor = std::make_shared<sam::Predictor<B>>(model.engine(), model.sam());
  return {.look = [predictor](const Image& image) { predictor->set_image(image); },
          .refine =
              [predictor, options](const Bitmap& coarse, Index number) {
                sam::CascadeOptions own = options;
                own.seed += static_cast<std::uint64_t>(number);
                auto result = sam::cascade(*predictor, coarse, own);
                return RefinedMask{std::move(result.mask), result.refined,
                                   std::move(result.reason)};
              }};
}

}  // namespace stamp
