// SPDX-License-Identifier: Apache-2.0
// What the commands that answer have in common: settings to library options.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <stamp/session.hpp>

#include "choice.hpp"

namespace stamp::command {

[[nodiscard]] inline ReadOptions read_options(const Settings& s) {
  return {.exif = s.exif == "ignore" ? Exif::ignore : Exif::apply};
}

/// What can be refused before a model is loaded. Throws Error{usage} and, for words that are not
/// UTF-8, Error{input}.
inline void check_request(const Settings& s) {
  if (s.min_pixels && s.max_pixels && *s.min_pixels > *s.max_pixels) {
    fail(Fault::usage, fmt::format("--min-pixels: expected at most --max-pixels {}, found {}",
                                   *s.max_pixels, *s.min_pixels));
  }
  if (s.system) text::require_utf8(*s.system, "system prompt");
  if (s.response) text::require_utf8(*s.response, "response");
}

/// The checkpoint's sampling with what the command line changes: a temperature of 0 is greedy,
/// any other, and top-p or top-k alone, samples.
[[nodiscard]] inline text::Sampling sampling_of(const Settings& s, text::Sampling sampling) {
  if (s.temperature || s.top_p || s.top_k) sampling.choice = text::Choice::sample;
  if (s.temperature) {
    if (*s.temperature == 0) {
      sampling.choice = text::Choice::greedy;
    } else {
      sampling.temperature = *s.temperature;
    }
  }
  if (s.top_p) sampling.top_p = *s.top_p;
  if (s.top_k) sampling.top_k = *s.top_k;
  if (s.repetition_penalty) sampling.repetition_penalty = *s.repetition_penalty;
  if (s.seed) sampling.seed = *s.seed;
  return sampling;
}

[[nodiscard]] inline SegmentOptions options_of(const Settings& s, const Choice& choice,
                                               text::Sampling checkpoint) {
  SegmentOptions options;
  options.response = s.response;
  options.system = s.system;
  options.special_tokens =
      s.allow_special ? text::SpecialTokens::as_control : text::SpecialTokens::as_text;
  options.max_new_tokens = s.max_new_tokens;
  options.sampling = sampling_of(s, checkpoint);
  // On these backends up to four rows at once give the bits of one at a time, and cost little more.
  const bool guesses_pay = choice.backend == "cpu" || choice.backend == "cuda";
  options.draft = s.draft.value_or(guesses_pay ? 3 : 0);
  options.likely_answers = s.likely_answers;
  options.resize = resize_named(s.resize);
  options.min_pixels = s.min_pixels;
  options.max_pixels = s.max_pixels;
  options.mask_positions = s.mask_positions == "grid" ? MaskPositions::grid : MaskPositions::text;
  options.upsample = upsample_named(s.upsample);
  options.threshold = s.threshold;
  return options;
}

}  // namespace stamp::command
