// SPDX-License-Identifier: Apache-2.0
// What a long run tells about itself while it works.
#pragma once

#include <functional>
#include <stamp/tensor/check.hpp>
#include <string_view>

namespace stamp {

/// The stages of an answer, in their order; and the writing of a converted checkpoint.
enum class Stage { load, image, vision, prefill, decode, mask, refine, write };

[[nodiscard]] constexpr std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::load:
      return "load";
    case Stage::image:
      return "image";
    case Stage::vision:
      return "vision";
    case Stage::prefill:
      return "prefill";
    case Stage::decode:
      return "decode";
    case Stage::mask:
      return "mask";
    case Stage::refine:
      return "refine";
    case Stage::write:
      return "write";
  }
  return "?";
}

/// `done` of `total` units of a stage (tokens, masks); total 0 where the end is not known.
struct Progress {
  Stage stage = Stage::load;
  Index done = 0;
  Index total = 0;
};

/// Hears every step; empty: nobody listens.
using OnProgress = std::function<void(const Progress&)>;

}  // namespace stamp
