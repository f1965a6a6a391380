// SPDX-License-Identifier: Apache-2.0
// STAMP's refinement: a coarse mask becomes points and a mask prompt, and SAM answers three times,
// each time shown its own last answer. Mirrors compute_logits_from_mask, masks_sample_points and
// the loop of STAMP's released evaluation (eval/utils.py, run_seg_ref.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <stamp/model/sam/predictor.hpp>
#include <string>

namespace stamp::sam {

/// How a coarse mask becomes logits.
enum class MaskPrior {
  /// The released code, number by number. Two things in it look unintended: the padding beside a
  /// picture that is not square becomes foreground (-1 wraps to 255 in 8 bits), and a mask that has
  /// the prompt's size already is taken for levels 0 and 1 of 255.
  released,
  /// The padding says nothing (logit 0), and every mask is scaled alike.
  clean,
};

/// The settings of a refinement; the defaults are the released ones.
struct CascadeOptions {
  Index passes = 3;
  Index points = 10;  ///< at most that many inside the mask, and as many outside
  MaskPrior prior = MaskPrior::released;
  std::uint64_t seed = 0;  ///< of the points; the released code draws other ones each time
};

/// A mask prompt [side, side] from a mask of 0 and 1: resized with Pillow's bilinear to a longest
/// side of `side`, 8-bit shades v; x = v/255, 1 becomes 0.999 and 0 becomes 0.001; ln(x/(1 - x)).
[[nodiscard]] inline std::vector<float> prior_logits(const Bitmap& mask, Index side,
                                                     MaskPrior prior) {
  const bool as_it_is = prior == MaskPrior::released && mask.width == side && mask.height == side;
  const Extent size = longest_side(mask.width, mask.height, side);
  Image shades{.width = mask.width, .height = mask.height};
  for (const std::uint8_t cell : mask.cells) {
    const std::uint8_t on = as_it_is ? 1 : 255;
    shades.pixels.insert(shades.pixels.end(), 3, cell != 0 ? on : std::uint8_t{0});
  }
  shades = detail::resize_pillow_bilinear(std::move(shades), size.width, size.height);
  const auto logit = [](std::uint8_t shade) {
    float x = static_cast<float>(shade) / 255.0F;
    if (shade == 255) x = 0.999F;
    if (shade == 0) x = 0.001F;
    // In double, for the float32 logarithms of libraries differ in the last place.
    return static_cast<float>(std::log(static_cast<double>(x / (1 - x))));
  };
  std::vector<float> logits(static_cast<std::size_t>(side * side),
                            prior == MaskPrior::released ? logit(255) : 0.0F);
  for (Index y = 0; y < size.height; ++y) {
    for (Index x = 0; x < size.width; ++x) {
      logits[static_cast<std::size_t>(y * side + x)] =
          logit(shades.pixels[static_cast<std::size_t>(3 * (y * size.width + x))]);
    }
  }
  return logits;
}

/// A pixel of a picture and what it is.
struct SampledPoint {
  Index x = 0;
  Index y = 0;
  PointLabel label = PointLabel::foreground;
  bool operator==(const SampledPoint&) const = default;
};

/// Up to `count` pixels inside the mask, then up to `count` outside, without replacement. The same
/// seed gives the same points on every machine.
[[nodiscard]] inline std::vector<SampledPoint> sample_points(const Bitmap& mask, Index count,
                                                             std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<SampledPoint> points;
  for (const PointLabel label : {PointLabel::foreground, PointLabel::background}) {
    std::vector<Index> candidates;
    for (std::size_t at = 0; at < mask.cells.size(); ++at) {
      if ((mask.cells[at] != 0) == (label == PointLabel::foreground)) {
        candidates.push_back(static_cast<Index>(at));
      }
    }
    const Index wanted = std::min(count, std::ssize(candidates));
    for (Index drawn = 0; drawn < wanted; ++drawn) {  // the first steps of Fisher and Yates
      const auto left = static_cast<std::uint64_t>(std::ssize(candidates) - drawn);
      const auto other =
          static_cast<std::size_t>(drawn) + static_cast<std::size_t>(random() % left);
      std::swap(candidates[static_cast<std::size_t>(drawn)], candidates[other]);
      const Index at = candidates[static_cast<std::size_t>(drawn)];
      points.push_back({at % mask.width, at / mask.width, label});
    }
  }
  return points;
}

/// What a refinement gives. Where it could not be made the coarse mask stays.
struct Refinement {
  Bitmap mask;  ///< refined, or the coarse one
  bool refined = false;
  std::string reason{};  ///< why not, where it was not
  double iou = 0;        ///< the decoder's guess of how well the last mask fits
  Index passes = 0;      ///< how many predictions were made
};

/// Refines `coarse`, a mask of the predictor's picture, from given points of the square. An empty
/// mask is not refined, nor is one whose logits come out not finite; the result says so. Throws
/// Error{usage} for a mask of another size than the picture's, or without an image.
template <SamBackend B, Tap<B> T = NoTap>
[[nodiscard]] Refinement cascade_from(Predictor<B>& predictor, const Bitmap& coarse,
                                      std::span<const Point> points,
                                      const CascadeOptions& options = {}, const T& tap = {}) {
  using Number = typename B::Number;
  if (!predictor.image()) fail(Fault::usage, "cascade: expected an image, found none set");
  const Extent size = predictor.image()->original;
  if (coarse.width != size.width || coarse.height != size.height) {
    fail(Fault::usage, "cascade: expected a mask of the image's " + std::to_string(size.width) +
                           " x " + std::to_string(size.height) + " pixels, found " +
                           std::to_string(coarse.width) + " x " + std::to_string(coarse.height));
  }
  Refinement result{.mask = coarse};
  if (std::ranges::all_of(coarse.cells, [](std::uint8_t cell) { return cell == 0; })) {
    result.reason = "the coarse mask is empty";
    return result;
  }
  Prompt prompt{.points = {points.begin(), points.end()}};
  const Index side = predictor.config().mask_side();
  const auto prior = prior_logits(coarse, side, options.prior);
  prompt.mask_logits.assign(prior.begin(), prior.end());
  tap.record("prior", {side, side},
             std::span<const Number>(std::vector<Number>(prior.begin(), prior.end())));
  Prediction<Number> prediction;
  for (Index pass = 0; pass < options.passes; ++pass) {
    prediction =
        predictor.predict(prompt, MaskChoice::single, tap.within("pass." + std::to_string(pass)));
    const auto& logits = prediction.low.logits;
    if (!std::ranges::all_of(logits, [](Number logit) { return std::isfinite(logit); })) {
      result.reason = "SAM's logits are not finite in pass " + std::to_string(pass);
      return result;
    }
    prompt.mask_logits.assign(logits.begin(), logits.end());
    result.iou = static_cast<double>(prediction.low.iou.front());
    ++result.passes;
  }
  if (result.passes == 0) {
    result.reason = "no pass was asked for";
    return result;
  }
  result.mask = bitmap_of<Number>(prediction.logits.front(), size);
  result.refined = true;
  return result;
}

/// The same with points that are drawn from the mask.
template <SamBackend B, Tap<B> T = NoTap>
[[nodiscard]] Refinement cascade(Predictor<B>& predictor, const Bitmap& coarse,
                                 const CascadeOptions& options = {}, const T& tap = {}) {
  if (!predictor.image()) fail(Fault::usage, "cascade: expected an image, found none set");
  std::vector<Point> points;
  for (const SampledPoint& point : sample_points(coarse, options.points, options.seed)) {
    points.push_back(
        predictor.point(static_cast<double>(point.x), static_cast<double>(point.y), point.label));
  }
  return cascade_from(predictor, coarse, std::span<const Point>(points), options, tap);
}

}  // namespace stamp::sam
