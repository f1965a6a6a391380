// SPDX-License-Identifier: Apache-2.0
// What stands between pictures and activations: done by the engine where it offers that
// (ops/picture.hpp), else on the host. The numbers are the same, bit for bit.
#pragma once

#include <stamp/image/patches.hpp>
#include <stamp/image/upsample.hpp>
#include <stamp/ops/backend.hpp>
#include <stamp/ops/picture.hpp>

namespace stamp {

/// How upsample (image/upsample.hpp) reads a grid out, for engines with a mask head.
[[nodiscard]] MaskReadout mask_readout(Index grid_height, Index grid_width, Index width,
                                       Index height, Upsample variant, float threshold);

/// How `processor` cuts a picture at `size`; without filters where it resizes in float.
[[nodiscard]] PictureCut picture_cut(const Image& image, Extent size,
                                     const ImageProcessor& processor);

/// A picture on its way into the vision tower: its pixel_values, made on the host, or what an
/// engine needs to make them from the picture's bytes.
template <Backend B>
class PicturePatches {
 public:
  /// Throws as `patches` does.
  PicturePatches(const Image& image, const ImageProcessor& processor) {
    if constexpr (requirement::CutsPictures<B>) {
      resized_ = resized_extent(image, processor);
      cut_ = picture_cut(image, resized_, processor);
      if (cut_.resized_width() != resized_.width || cut_.resized_height() != resized_.height) {
        bytes_ = resize(image, resized_.width, resized_.height, processor.resize).pixels;
        cut_.width = resized_.width;
        cut_.height = resized_.height;
        cut_.across = cut_.down = {};
      }
      grid_ = {.t = 1,
               .h = resized_.height / processor.patch_size,
               .w = resized_.width / processor.patch_size};
    } else {
      PixelPatches made = patches(image, processor);
      resized_ = {made.resized_width, made.resized_height};
      grid_ = made.grid;
      values_ = std::move(made.values);
    }
  }

  [[nodiscard]] Extent resized() const { return resized_; }
  [[nodiscard]] const qwen2_vl::PatchGrid& grid() const { return grid_; }

  /// The numbers of `patches`, to y [Patches, PatchLength]. `image` is the one it was made from.
  void write(B& engine, Activation<B, Patches, PatchLength> y, const Image& image) const {
    if constexpr (requirement::CutsPictures<B>) {
      cut_picture(engine, y, std::span<const std::uint8_t>(bytes_.empty() ? image.pixels : bytes_),
                  cut_);
    } else {
      engine.upload(y, std::span<const float>(values_));
    }
  }

 private:
  Extent resized_;
  qwen2_vl::PatchGrid grid_{};
  std::vector<float> values_;        ///< of an engine that takes nothing else
  std::vector<std::uint8_t> bytes_;  ///< where the host had to resize
  PictureCut cut_;
};

}  // namespace stamp
