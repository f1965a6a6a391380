// SPDX-License-Identifier: Apache-2.0
// What a question about an image gives: words, one mask for every <|seg|>, and how long it took.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stamp/image/image.hpp>
#include <stamp/model/qwen2_vl/config.hpp>
#include <string>
#include <vector>

namespace stamp {

/// One object.
struct Mask {
  Index index = 0;
  std::optional<std::string> label;  ///< the phrase of the answer that the mask stands for
  Index token_index = 0;             ///< position of its `<|seg|>` among prompt and answer tokens
  Index rows = 0;                    ///< of the merged grid
  Index columns = 0;
  std::vector<float> logits;        ///< [rows, columns], foreground above the threshold
  Bitmap picture;                   ///< at the image's size
  std::optional<Bitmap> refined{};  ///< the same sharpened by SAM, where asked for and possible
  double score = 0;             ///< mean foreground probability over the mask's pixels, 0 if empty
  Index area = 0;               ///< pixels
  std::array<Index, 4> bbox{};  ///< x, y, width, height in pixels; zeros if empty

  [[nodiscard]] const Bitmap& bitmap() const { return picture; }
};

/// Seconds; a stage that did not run took 0.
struct Timings {
  double load = 0;
  double image = 0;
  double vision = 0;
  double prefill = 0;
  double decode = 0;
  double mask = 0;
  double refine = 0;
  double total = 0;
  double tokens_per_second = 0;
};

/// One round of a conversation.
struct Answer {
  std::string text;                      ///< special tokens kept, the ending `<|im_end|>` dropped
  std::vector<std::int32_t> input_ids;   ///< everything before the answer, image tokens expanded
  std::vector<std::int32_t> output_ids;  ///< the answer
  std::vector<Mask> masks;
  std::vector<std::string> notes;  ///< what the caller should know: no mask asked for, cut short …
  Index width = 0;                 ///< of the image
  Index height = 0;
  int orientation = 1;
  Index resized_width = 0;
  Index resized_height = 0;
  qwen2_vl::PatchGrid grid;
  Timings timings;
};

}  // namespace stamp
