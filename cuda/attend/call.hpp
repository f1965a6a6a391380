// SPDX-License-Identifier: Apache-2.0
// One call of attention behind its door: what every kernel of the family is handed.
#pragma once

#include <stamp/cuda/attend/mask_rule.hpp>
#include <stamp/cuda/attend/tiles.hpp>
#include <stamp/ops/relative_position.hpp>
#include <stamp/tensor/element.hpp>
#include <stamp/tensor/erased.hpp>

namespace stamp::cuda {

/// y = softmax(scale·q·kᵀ + bias)·v over the keys that `mask` names (requirement::HasAttend and
/// HasRelativeAttend).
template <class T>
struct AttendCall {
  ErasedHeads<T> y;
  ErasedHeads<const T> query;
  ErasedHeads<const T> key;
  ErasedHeads<const T> value;
  float scale;
  MaskRule mask;
  RelativePosition<T> bias{};  ///< of one map or of several; without any, its pointers are null

  [[nodiscard]] constexpr PackedRows packing() const {
    return {key.heads > 0 ? static_cast<int>(y.heads) / static_cast<int>(key.heads) : 1};
  }
  /// Packed rows of one key head.
  [[nodiscard]] constexpr Index packed_rows() const { return y.rows * packing().group; }
  [[nodiscard]] constexpr bool relative() const { return bias.vertical != nullptr; }
  /// What joins scale·q·k of a row, query head and key; only where `relative`.
  /// `at` is a key of the row's own map.
  [[nodiscard]] constexpr float bias_of(Index row, Index head, Index at) const {
    const Index map = row / bias.area();
    const RelativePosition<T> own = bias.of_map(map);
    const Index first = map * bias.area();
    return widen(own.vertical_of(row - first, head)[-((at - first) / bias.width)]) +
           widen(own.horizontal_of(row - first, head)[-((at - first) % bias.width)]);
  }
};

/// Sums of the parts that share a query tile's keys, for the combining kernel: for each part, key
/// head and packed row the largest score, the sum of weights, and the weighted values, undivided.
struct AttendParts {
  KeySplit split{};
  float* largest = nullptr;  ///< [parts, KvHeads, packed rows]
  float* sum = nullptr;      ///< [parts, KvHeads, packed rows]
  float* values = nullptr;   ///< [parts, KvHeads, packed rows, HeadDim]
};

/// The ladder of kernels, each held against the one before.
enum class AttendKernel {
  naive,   ///< a warp a row and head, key by key; any head size
  tiled,   ///< tiles in shared memory, online softmax, float arithmetic; head sizes up to 128
  tensor,  ///< bfloat16 tensor cores; head sizes that are multiples of 16 up to 128
  hopper  ///< bfloat16 warpgroup products fed by box copies; head sizes 64, 80 and 128, sm_90a only
};

}  // namespace stamp::cuda
