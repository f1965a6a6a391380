// SPDX-License-Identifier: Apache-2.0
// STAMP's cascade over SAM as what sharpens a conversation's masks.
#pragma once

#include <memory>
#include <stamp/observe/recorder.hpp>
#include <stamp/session/mask_refiner.hpp>
#include <stamp/session/sam_model.hpp>

namespace stamp {

namespace detail {

/// sam_refiner with any tap.
template <SamBackend B, class T>
[[nodiscard]] MaskRefiner tapped_refiner(SamModel<B>& model, const sam::CascadeOptions& options,
                                         const T& tap) {
  auto predictor = std::make_shared<sam::Predictor<B>>(model.engine(), model.sam());
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

}  // namespace detail

/// Refers to `model`, which must outlive it; keeps the encoded image of the last `look`. Mask k of
/// an answer draws its points with seed options.seed + k. `recording`, where there is one, gets
/// SAM's activations: `sam.…` of the image and of mask 0, `sam.mask.{k}.…` of mask k behind it.
template <SamBackend B>
[[nodiscard]] MaskRefiner sam_refiner(SamModel<B>& model, const sam::CascadeOptions& options = {},
                                      Recording<typename B::Number>* recording = nullptr) {
  using Tap = Recorder<typename B::Number>;
  return recording == nullptr
             ? detail::tapped_refiner(model, options, NoTap{})
             : detail::tapped_refiner(model, options, Tap(recording).within("sam"));
}

}  // namespace stamp
