// SPDX-License-Identifier: Apache-2.0
// The table of vectorised kernels. simd/*.hpp fills one table for each instruction set from the
// same sources; an engine picks one when it is made.
//
// Panels. A weight W [Out, In] is kept as [Out/64][words][64] 32-bit words: word w of output o
// holds the inputs 1·w (float32), 2·w and 2·w+1 (bfloat16) or 4·w … 4·w+3 (int8). Outputs are
// padded to 64 and words to 16 with zeros. oneDNN calls this BA16a64b, BA16a64b2a and BA16a64b4a
// and takes it as it is; AMX tiles, too, can be loaded from it.
#pragma once

#include <cstdint>
#include <stamp/ops/mask.hpp>
#include <stamp/ops/relative_position.hpp>
#include <stamp/tensor/element.hpp>

namespace stamp::cpu {

inline constexpr Index panel_width = 64;   ///< outputs a panel
inline constexpr Index word_block = 16;    ///< words are padded to a multiple of this
inline constexpr Index spread_block = 64;  ///< numbers that are mixed before they become bytes

/// One task of attention: `rows` queries of one head over all keys.
struct AttendTask {
  const float* query;  ///< [rows, dim], rows `query_stride` apart
  Index query_stride;
  float* y;  ///< [rows, dim], rows `y_stride` apart
  Index y_stride;
  const Visible* visible;      ///< [rows]
  const std::uint32_t* key;    ///< key panels [keys/64][words + panel_notes][64]
  const std::uint32_t* value;  ///< value panels [words of keys][dim padded to 16]
  Index rows;
  Index dim;
  Index words;  ///< of a query and of a key, padded to word_step
  Index keys;
  float scale;
  std::byte* scratch;  ///< attend_scratch(dim) bytes of this thread, and relative_scratch(bias)
  const RelativePosition<float>* bias = nullptr;  ///< null: none
  Index first = 0;                                ///< place of the first query, where bias counts
  Index head = 0;
};

/// One task of attention with few queries: the heads that share a key head, some of the keys.
struct DecodeTask {
  const float* query;  ///< [heads, dim] dense
  const float* key;    ///< [keys, dim], rows `key_stride` apart
  const float* value;
  Index key_stride;
  Index value_stride;
  Index heads;
  Index dim;
  Visible visible;
  KeyRange keys;  ///< this task's share
  float scale;
  float* largest;  ///< [heads], of scale·q·k
  float* sum;      ///< [heads], of exp(score - largest)
  float* y;        ///< [heads, dim], Σ exp(score - largest)·v
  float* scores;   ///< [heads, keys.size()] scratch
};

/// Operands are rows of floats unless said; counts are elements.
/// How a row of activations became bytes: x ≈ scale·(byte - zero).
struct ByteScale {
  float scale = 0;  ///< not a number where the row holds one that is not finite
  std::int32_t zero = 0;
};

/// Attention over keys in words of one type.
struct AttentionKernels {
  Index key_numbers;    ///< a word of a query or a key holds so many
  Index value_numbers;  ///< a word of values
  Index word_step;      ///< words of queries and keys are padded to a multiple
  Index panel_notes;    ///< rows of a panel behind its words: what turns exact sums into scores

  /// Keys of one head, [keys, dim] with a stride, as panels. Each has `words` words, those behind
  /// the head's own zero. `scratch`: key_scratch(dim, words) words.
  void (*pack_keys)(std::uint32_t* panels, const float* key, Index stride, Index keys, Index dim,
                    Index words, std::uint32_t* scratch);
  void (*pack_values)(std::uint32_t* panels, const float* value, Index stride, Index keys,
                      Index dim);
  void (*attend)(const AttendTask&);
};

struct Kernels {
  Index strip_rows;   ///< rows of x whose products with a panel stay in the cache
  Index chunk_words;  ///< words of a panel that are multiplied at a time

  /// y [rows, 64] = x·panel for one to four rows of floats, padded with a zero to whole words.
  void (*skinny_bf16)(float* y, const float* x, Index x_stride, Index rows,
                      const std::uint32_t* panel, Index words);
  /// y [rows, 64] = (or +=) x·panel with x in words of the weights' type.
  void (*product_fp32)(float* y, Index y_stride, const std::uint32_t* x, Index x_stride, Index rows,
                       const std::uint32_t* panel, Index words, bool accumulate);
  void (*product_bf16)(float* y, Index y_stride, const std::uint32_t* x, Index x_stride, Index rows,
                       const std::uint32_t* panel, Index words, bool accumulate);
  void (*product_int8)(std::int32_t* y, Index y_stride, const std::uint32_t* x, Index x_stride,
                       Index rows, const std::uint32_t* panel, Index words, bool accumulate);

  /// Round to nearest even.
  void (*to_bf16)(std::uint16_t* y, const float* x, Index count);
  /// y = x·H/8 for each whole block of 64 numbers, H the Hadamard matrix; the rest is copied. H/8
  /// is its own inverse and symmetric, so that x·w = (x·H/8)·(w·H/8): a number that stands out in x
  /// or w is spread over 64, which is what their bytes need. y may be x.
  void (*spread)(float* y, const float* x, Index count);
  /// y = round(x/scale) with scale = max|x|/127; returns scale, which is no number where x holds
  /// one that is not finite.
  float (*to_int8)(std::int8_t* y, const float* x, Index count);
  /// y = zero + round(x/scale), from 0 to 255, with scale = (max - min)/255 where min ≤ 0 ≤ max: a
  /// row that is mostly positive, as behind GELU, keeps all eight bits.
  ByteScale (*to_uint8)(std::uint8_t* y, const float* x, Index count);
  /// y [rows, width] = (or +=) strip + bias, where a strip has rows of 64 sums; `bias` may be null,
  /// y may be the strip.
  void (*finish)(float* y, Index y_stride, const float* strip, Index rows, Index width,
                 const float* bias, bool add);
  /// The same with (strip - scales.zero·weight_sums)·(scales.scale·weight_scales) for strip: exact
  /// sums of bytes, `scales` one a row.
  void (*finish_int8)(float* y, Index y_stride, const std::int32_t* strip, Index rows, Index width,
                      const ByteScale* scales, const std::int32_t* weight_sums,
                      const float* weight_scales, const float* bias, bool add);

  void (*add)(float* y, const float* x, Index count);                  ///< y += x
  void (*sum)(float* z, const float* x, const float* y, Index count);  ///< z = x + y
  void (*rms_norm)(float* y, const float* x, const float* weight, float eps, Index count);
  void (*layer_norm)(float* y, const float* x, const float* weight, const float* bias, float eps,
                     Index count);
  void (*quick_gelu)(float* x, Index count);
  void (*gelu)(float* x, Index count);  ///< to 1.5e-7·|x|
  void (*swiglu)(float* gate, const float* up, Index count);
  void (*rotate)(float* low, float* high, const float* cosine, const float* sine, Index pairs);

  AttentionKernels attend_fp32;
  AttentionKernels attend_bf16;
  /// Scores of signed bytes, a scale for each query and each key; weights and values in bfloat16:
  /// many small weights would vanish as bytes.
  AttentionKernels attend_int8;
  void (*decode)(const DecodeTask&);
};

/// Queries that share a task of attention, and keys that are scored before the next softmax.
inline constexpr Index attend_rows = 96;
inline constexpr Index attend_keys = 256;
/// Rows that vectors multiply at once.
inline constexpr Index tile_rows = 6;
/// The widest head whose queries and keys may become bytes: they do so in the scratch of a tile.
inline constexpr Index most_byte_dim = tile_rows * attend_keys;
/// The most rows of attention that are multiplied at once; scratch rows are padded to it.
inline constexpr Index most_attend_rows = 32;

[[nodiscard]] constexpr Index round_up(Index value, Index step) {
  return (value + step - 1) / step * step;
}

/// Bytes behind attend_scratch for what relative positions add to each row.
[[nodiscard]] constexpr Index relative_scratch(const RelativePosition<float>* bias) {
  return bias == nullptr ? 0 : 4 * (attend_rows + tile_rows) * (bias->height + bias->width);
}

/// Words of scratch for packing keys: 16 keys as words, and one as floats.
[[nodiscard]] constexpr Index key_scratch(Index dim, Index words) { return 16 * words + dim; }

/// Bytes of AttendTask::scratch: queries as words, results, one tile of scores and its exponentials
/// as words, and the base, scale and vector of sums of every row.
[[nodiscard]] constexpr Index attend_scratch(Index dim) {
  const Index rows = attend_rows + most_attend_rows;
  const Index padded = round_up(dim, word_block);
  return 4 * (2 * rows * padded + 2 * most_attend_rows * attend_keys + 18 * rows + 64);
}

}  // namespace stamp::cpu
