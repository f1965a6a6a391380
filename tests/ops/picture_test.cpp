// SPDX-License-Identifier: Apache-2.0
// The steps between pictures and activations (session/picture_steps.hpp) on every engine: those
// that do them in their own memory give what the host gives, bit for bit.
#include <random>
#include <stamp/session/picture_steps.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Picture : public Operation<B> {};
TYPED_TEST_SUITE(Picture, Engines, EngineName);

Image random_image(Index width, Index height, std::uint32_t seed) {
  Image image{.width = width, .height = height};
  std::mt19937 random(seed);
  for (Index at = 0; at < width * height * 3; ++at) {
    image.pixels.push_back(static_cast<std::uint8_t>(random() >> 24U));
  }
  return image;
}

/// The patches of an image as the engine has them, and as `patches` has them.
template <Backend B>
void expect_the_hosts_patches(B& engine, const Image& image, const ImageProcessor& processor) {
  using Numbers = std::vector<typename B::Number>;
  const auto frame = engine.frame();
  const PixelPatches expected = patches(image, processor);
  const PicturePatches<B> found(image, processor);
  EXPECT_EQ(found.resized().width, expected.resized_width);
  EXPECT_EQ(found.resized().height, expected.resized_height);
  EXPECT_EQ(found.grid().h, expected.grid.h);
  EXPECT_EQ(found.grid().w, expected.grid.w);
  const Patches count{expected.grid.patches()};
  const PatchLength length{std::ssize(expected.values) / count.size};
  const auto theirs = engine.template allocate<typename B::Element>(count, length);
  const auto ours = engine.template allocate<typename B::Element>(count, length);
  engine.upload(theirs, std::span<const float>(expected.values));
  found.write(engine, ours, image);
  Numbers a(expected.values.size());
  Numbers b(expected.values.size());
  engine.download(std::span(a), theirs);
  engine.download(std::span(b), ours);
  EXPECT_EQ(a, b) << image.width << " x " << image.height << " to " << expected.resized_width
                  << " x " << expected.resized_height;
}

TYPED_TEST(Picture, PatchesAreTheHosts) {
  for (const Resize resize : {Resize::pillow, Resize::torch_u8, Resize::torch_f32}) {
    ImageProcessor processor{.min_pixels = 28 * 28, .max_pixels = 28 * 28 * 20, .resize = resize};
    // Shrunk, grown, one axis as it is, both, single pixels, long and thin.
    for (const auto& [width, height] : {std::pair<Index, Index>{301, 203},
                                        {640, 427},
                                        {28, 84},
                                        {56, 30},
                                        {29, 56},
                                        {1, 1},
                                        {9, 7},
                                        {15, 900},
                                        {900, 15}}) {
      expect_the_hosts_patches(this->backend, random_image(width, height, 5), processor);
    }
  }
}

TYPED_TEST(Picture, PatchesAreTheHostsForOtherProcessors) {
  ImageProcessor processor{.min_pixels = 12 * 12, .max_pixels = 12 * 12 * 9};
  for (const auto& [patch, frames, merge] :
       {std::tuple<Index, Index, Index>{4, 1, 3}, {6, 3, 2}, {12, 2, 1}, {2, 1, 1}}) {
    processor.patch_size = patch;
    processor.temporal_patch_size = frames;
    processor.merge_size = merge;
    for (const auto order : {Normalise::fused, Normalise::rescale_first}) {
      processor.normalise = order;
      expect_the_hosts_patches(this->backend, random_image(41, 33, 6), processor);
      expect_the_hosts_patches(this->backend, random_image(24, 36, 7), processor);
    }
  }
}

/// Filters overshoot at edges: sums below 0 and above 255 are cut to bytes.
TYPED_TEST(Picture, PatchesAreTheHostsWhereTheFilterOvershoots) {
  Image image = random_image(97, 61, 8);
  for (std::uint8_t& pixel : image.pixels) pixel = pixel < 128 ? 0 : 255;
  expect_the_hosts_patches(this->backend, image, {.min_pixels = 784 * 16, .max_pixels = 784 * 25});
}

TYPED_TEST(Picture, CuttingNamesWhatDoesNotFit) {
  if constexpr (requirement::CutsPictures<TypeParam>) {
    auto& engine = this->backend;
    using Element = typename TypeParam::Element;
    PictureCut cut{.width = 8, .height = 4, .side = 2, .frames = 1, .merge = 2};
    const std::vector<std::uint8_t> pixels(96);
    const std::span<const std::uint8_t> bytes(pixels);
    const auto y = engine.template allocate<Element>(Patches{8}, PatchLength{12});
    cut_picture(engine, y, bytes, cut);
    const auto few = engine.template allocate<Element>(Patches{7}, PatchLength{12});
    EXPECT_EQ(usage_error([&] { cut_picture(engine, few, bytes, cut); }),
              "cut_picture: expected Patches 8, found Patches 7");
    const auto narrow = engine.template allocate<Element>(Patches{8}, PatchLength{11});
    EXPECT_EQ(usage_error([&] { cut_picture(engine, narrow, bytes, cut); }),
              "cut_picture: expected PatchLength 12, found PatchLength 11");
    EXPECT_EQ(usage_error([&] { cut_picture(engine, y, bytes.first(95), cut); }),
              "cut_picture pixels: expected 96 numbers, found 95");
    cut.width = 4;
    cut.height = 8;
    cut.merge = 3;
    EXPECT_EQ(usage_error([&] { cut_picture(engine, y, bytes, cut); }),
              "cut_picture: expected sides of a multiple of 6 pixels, found 4 x 8");
  }
}

}  // namespace
}  // namespace stamp::test
