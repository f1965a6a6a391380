// SPDX-License-Identifier: Apache-2.0
// One image, many prompts: the image is encoded once, each prompt costs the small decoder only.
// Mirrors segment_anything/predictor.py.
#pragma once

#include <optional>
#include <stamp/model/sam/sam.hpp>
#include <stamp/model/sam/transforms.hpp>
#include <utility>

namespace stamp::sam {

/// Masks of one prompt; foreground where a logit is above zero.
template <std::floating_point Number>
struct Prediction {
  std::vector<std::vector<Number>> logits;  ///< [masks] of the picture's [height, width]
  LowResMasks<Number> low;                  ///< each of them is a mask prompt for the next call
};

/// Keeps engine and model by reference; both must outlive it.
template <SamBackend B>
class Predictor {
 public:
  using Number = typename B::Number;

  Predictor(B& engine, const Sam<B>& sam) : engine_(engine), sam_(sam) {}

  /// Encodes a picture and keeps what is found; prompts are about the last one. Throws
  /// Error{input} for a picture without pixels.
  template <Tap<B> T = NoTap>
  void set_image(const Image& image, const T& tap = {}) {
    const Config& config = sam_.config;
    const Frame placed(image.width, image.height, config.vision.image_size);
    const auto pixels = pixel_values(image, config.vision.image_size);
    const Pixels positions{config.vision.grid() * config.vision.grid()};
    const Channels channels{config.vision.output_channels};
    image_.reset();
    features_ = engine_.keep(positions, channels);
    places_ = engine_.keep(positions, channels);
    const auto scratch = engine_.frame();
    sam_.image_encoder(engine_, features_.view(), pixels, tap.within("image_encoder"));
    copy(engine_, places_.view(), sam_.prompt_encoder.dense_positions(engine_));
    tap.record(engine_, "dense_positions", places_.view());
    if (tap.listens()) tell_embeddings(tap);
    image_ = placed;
  }

  /// Where the picture lies in the square that SAM sees; empty before the first set_image.
  [[nodiscard]] const std::optional<Frame>& image() const { return image_; }
  /// The encoded picture, [grid², Channels].
  [[nodiscard]] View<const typename B::Element, Pixels, Channels> features() const {
    return std::as_const(features_).view();
  }
  [[nodiscard]] const Config& config() const { return sam_.config; }
  [[nodiscard]] B& engine() { return engine_; }

  /// A point of the picture, in its pixels, as a prompt takes it.
  [[nodiscard]] Point point(double x, double y, PointLabel label) const {
    const auto [across, down] = frame().place(x, y);
    return {across, down, label};
  }
  /// A box of the picture, in its pixels: upper left and lower right corner.
  [[nodiscard]] Box box(double x0, double y0, double x1, double y1) const {
    const auto [left, top] = frame().place(x0, y0);
    const auto [right, bottom] = frame().place(x1, y1);
    return {left, top, right, bottom};
  }

  /// Masks for one prompt. Throws Error{usage} before set_image, for an empty prompt, and for mask
  /// logits of another size than mask_side².
  template <Tap<B> T = NoTap>
  [[nodiscard]] Prediction<Number> predict(const Prompt& prompt, MaskChoice choice,
                                           const T& tap = {}) {
    const Frame& placed = frame();
    check(prompt);
    const auto scratch = engine_.frame();
    const Index grid = sam_.config.vision.grid();
    const auto sparse = sam_.prompt_encoder.sparse(engine_, prompt);
    const auto dense = sam_.prompt_encoder.dense(engine_, prompt);
    tap.record(engine_, "sparse", sparse);
    tap.record(engine_, "dense", dense);
    Prediction<Number> prediction;
    prediction.low = sam_.mask_decoder(engine_, features(), std::as_const(places_).view(), sparse,
                                       dense, {grid, grid}, choice, tap);
    const LowResMasks<Number>& low = prediction.low;
    const Index side = low.side;
    tap.record("low_res_logits", {low.masks, side, side}, std::span<const Number>(low.logits));
    tap.record("iou", {low.masks}, std::span<const Number>(low.iou));
    for (Index mask = 0; mask < low.masks; ++mask) {
      const auto one = std::span<const Number>(low.logits)
                           .subspan(static_cast<std::size_t>(mask * side * side),
                                    static_cast<std::size_t>(side * side));
      prediction.logits.push_back(
          full_size<Number>(one, side, sam_.config.vision.image_size, placed));
    }
    if (tap.listens()) tell_masks(tap, prediction, placed.original);
    return prediction;
  }

 private:
  /// The features as upstream has them: [Channels, grid, grid].
  template <class T>
  void tell_embeddings(const T& tap) {
    const Index grid = sam_.config.vision.grid();
    const Index channels = features().extents()[1];
    std::vector<Number> beside(static_cast<std::size_t>(features().size()));
    engine_.download(std::span<Number>(beside), features());
    std::vector<Number> planes;
    for (Index channel = 0; channel < channels; ++channel) {
      for (Index at = 0; at < grid * grid; ++at) {
        planes.push_back(beside[static_cast<std::size_t>(at * channels + channel)]);
      }
    }
    tap.record("image_embeddings", {channels, grid, grid}, std::span<const Number>(planes));
  }

  template <class T>
  static void tell_masks(const T& tap, const Prediction<Number>& prediction, Extent size) {
    std::vector<Number> all;
    for (const auto& mask : prediction.logits) all.insert(all.end(), mask.begin(), mask.end());
    tap.record("masks", {prediction.low.masks, size.height, size.width},
               std::span<const Number>(all));
  }

  [[nodiscard]] const Frame& frame() const {
    if (!image_) fail(Fault::usage, "predict: expected an image, found none set");
    return *image_;
  }
  void check(const Prompt& prompt) const {
    if (prompt.points.empty() && !prompt.box && prompt.mask_logits.empty()) {
      fail(Fault::usage, "prompt: expected a point, a box or a mask, found none");
    }
    const Index side = sam_.config.mask_side();
    const auto size = std::ssize(prompt.mask_logits);
    if (size != 0 && size != side * side) {
      fail(Fault::usage, "prompt: expected mask logits of " + std::to_string(side) + " x " +
                             std::to_string(side) + ", found " + std::to_string(size) + " numbers");
    }
  }

  B& engine_;
  const Sam<B>& sam_;
  typename B::template Kept<Pixels, Channels> features_;
  typename B::template Kept<Pixels, Channels> places_;
  std::optional<Frame> image_;
};

/// Foreground where a logit is above zero.
template <std::floating_point Number>
[[nodiscard]] Bitmap bitmap_of(std::span<const Number> logits, Extent size) {
  Bitmap mask{.width = size.width, .height = size.height};
  for (const Number logit : logits) mask.cells.push_back(logit > 0 ? 1 : 0);
  return mask;
}

}  // namespace stamp::sam
