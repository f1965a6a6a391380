// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/image/run_length.hpp>.
#pragma once

#include <algorithm>
#include <stamp/image/run_length.hpp>

namespace stamp {

namespace detail {

inline void append_run_length(std::string& text, Index value) {
  bool more = true;
  while (more) {
    Index bits = value & 0x1F;
    value >>= 5;  // arithmetic: keeps the sign
    more = (bits & 0x10) != 0 ? value != -1 : value != 0;
    if (more) bits |= 0x20;
    text += static_cast<char>(bits + 48);
  }
}

/// The run lengths of `runs`, checked: they are not negative and sum to height · width.
[[nodiscard]] inline std::vector<Index> run_lengths(const RunLength& runs) {
  const Index area = checked_multiply(runs.height, runs.width, "RLE size");
  std::vector<Index> lengths;
  Index sum = 0;
  for (std::size_t at = 0; at < runs.counts.size();) {
    Index value = 0;
    bool more = true;
    for (int shift = 0; more; shift += 5) {
      const int code = at < runs.counts.size() ? runs.counts[at] - 48 : -1;
      if (code < 0 || code > 63 || shift > 40) {
        fail(Fault::input, "RLE: no valid count at character " + std::to_string(at));
      }
      ++at;
      value |= static_cast<Index>(code & 0x1F) << shift;
      more = (code & 0x20) != 0;
      if (!more && (code & 0x10) != 0) value -= Index{32} << shift;  // sign of the last 5 bits
    }
    if (lengths.size() > 2) value += lengths[lengths.size() - 2];
    if (value < 0) fail(Fault::input, "RLE: negative run of " + std::to_string(value));
    sum = checked_add(sum, value, "RLE");
    lengths.push_back(value);
    if (sum > area) break;
  }
  if (sum != area) {
    fail(Fault::input, std::string("RLE sums to ") + (sum > area ? "at least " : "") +
                           std::to_string(sum) + ", need " + std::to_string(area) + " (" +
                           std::to_string(runs.height) + " x " + std::to_string(runs.width) + ")");
  }
  return lengths;
}

}  // namespace detail

RunLength encode_run_length(const Bitmap& mask) {
  std::vector<Index> lengths;
  Index run = 0;
  bool current = false;
  for (Index x = 0; x < mask.width; ++x) {
    for (Index y = 0; y < mask.height; ++y) {
      const bool foreground = mask.cells[static_cast<std::size_t>(y * mask.width + x)] != 0;
      if (foreground != current) {
        lengths.push_back(run);
        run = 0;
        current = foreground;
      }
      ++run;
    }
  }
  lengths.push_back(run);

  RunLength result{.height = mask.height, .width = mask.width};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    detail::append_run_length(result.counts, lengths[i] - (i > 2 ? lengths[i - 2] : 0));
  }
  return result;
}

Bitmap decode_run_length(const RunLength& runs) {
  const std::vector<Index> lengths = detail::run_lengths(runs);
  Bitmap mask{.width = runs.width, .height = runs.height};
  mask.cells.resize(static_cast<std::size_t>(runs.width * runs.height));
  Index at = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    for (Index end = at + lengths[i]; at < end; ++at) {
      const Index x = at / runs.height, y = at % runs.height;
      mask.cells[static_cast<std::size_t>(y * runs.width + x)] = i % 2 == 1 ? 1 : 0;
    }
  }
  return mask;
}

Index area(const Bitmap& mask) {
  return std::ranges::count_if(mask.cells, [](std::uint8_t cell) { return cell != 0; });
}

std::array<Index, 4> bounding_box(const Bitmap& mask) {
  Index left = mask.width, top = mask.height, right = -1, bottom = -1;
  const std::uint8_t* cell = mask.cells.data();
  for (Index y = 0; y < mask.height; ++y) {
    for (Index x = 0; x < mask.width; ++x) {
      if (*cell++ == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  if (right < 0) return {0, 0, 0, 0};
  return {left, top, right - left + 1, bottom - top + 1};
}

}  // namespace stamp
