// SPDX-License-Identifier: Apache-2.0
// SAM's weights as one module (Kirillov et al. 2023, "Segment Anything").
#pragma once

#include <stamp/model/sam/image_encoder.hpp>
#include <stamp/model/sam/mask_decoder.hpp>
#include <stamp/model/sam/prompt_encoder.hpp>

namespace stamp::sam {

/// The names of `parts` are the released checkpoints': image_encoder.*, prompt_encoder.*,
/// mask_decoder.*.
template <SamBackend B>
struct Sam {
  ImageEncoder<B> image_encoder;
  PromptEncoder<B> prompt_encoder;
  MaskDecoder<B> mask_decoder;
  Config config;

  static constexpr auto parts = std::tuple{Part{"image_encoder", &Sam::image_encoder},
                                           Part{"prompt_encoder", &Sam::prompt_encoder},
                                           Part{"mask_decoder", &Sam::mask_decoder}};

  explicit Sam(const Config& c)
      : image_encoder(c.vision), prompt_encoder(c), mask_decoder(c.decoder), config(c) {}
};

}  // namespace stamp::sam
