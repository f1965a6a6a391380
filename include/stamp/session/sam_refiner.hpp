// SPDX-License-Identifier: Apache-2.0
// STAMP's cascade over SAM as what sharpens a conversation's masks.
#pragma once

#include <memory>
#include <stamp/observe/recorder.hpp>
#include <stamp/session/mask_refiner.hpp>
#include <stamp/session/sam_model.hpp>

namespace stamp {

/// Refers to `model`, which must outlive it; keeps the encoded image of the last `look`. Mask k of
/// an answer draws its points with seed options.seed + k. `recording`, where there is one, gets
/// SAM's activations: `sam.…` of the image and of mask 0, `sam.mask.{k}.…` of mask k behind it.
template <SamBackend B>
[[nodiscard]] MaskRefiner sam_refiner(SamModel<B>& model, const sam::CascadeOptions& options = {},
                                      Recording<typename B::Number>* recording = nullptr) {
  auto predictor = std::make_shared<sam::Predictor<B>>(model.engine(), model.sam());
  auto tap = Recorder<typename B::Number>(recording).within("sam");
  tap.listen(recording != nullptr);
  return {.look = [predictor, tap](const Image& image) { predictor->set_image(image, tap); },
          .refine =
              [predictor, options, tap](const Bitmap& coarse, Index number) {
                sam::CascadeOptions own = options;
                own.seed += static_cast<std::uint64_t>(number);
                const auto inner = number == 0 ? tap : tap.within("mask." + std::to_string(number));
                auto result = sam::cascade(*predictor, coarse, own, inner);
                return RefinedMask{std::move(result.mask), result.refined,
                                   std::move(result.reason)};
              }};
}

}  // namespace stamp
