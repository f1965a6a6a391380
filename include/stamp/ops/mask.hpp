// SPDX-License-Identifier: Apache-2.0
// Who may look at whom: attention masks as policies instead of matrices.
// A policy tells, for a query row, which keys it sees: one interval of shared history and one of
// its own. Policies are trivially copyable and work on any device; kernels skip tiles from them.
#pragma once

#include <concepts>
#include <cstdint>
#include <stamp/tensor/check.hpp>
#include <type_traits>

namespace stamp {

/// Keys begin, begin+1, …, end-1.
struct KeyRange {
  Index begin = 0;
  Index end = 0;
  [[nodiscard]] constexpr Index size() const { return end - begin; }
};

/// What one query sees. The ranges do not overlap and `history` comes first; `own` may be empty.
struct Visible {
  KeyRange history;
  KeyRange own;
  [[nodiscard]] constexpr bool sees(Index key) const {
    return (key >= history.begin && key < history.end) || (key >= own.begin && key < own.end);
  }
};

/// A rule from query rows (0, 1, … of this call) to visible keys (slots of the keys' tensor).
template <class M>
concept MaskPolicy = std::is_trivially_copyable_v<M> && requires(const M mask, Index query) {
  { mask.visible(query) } -> std::same_as<Visible>;
};

/// Text: a token sees itself and everything before it. `history` keys stand before query 0.
struct Causal {
  Index history = 0;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    return {{0, history + query + 1}, {}};
  }
};

/// Everybody sees everybody.
struct Bidirectional {
  Index keys = 0;
  [[nodiscard]] constexpr Visible visible(Index) const { return {{0, keys}, {}}; }
};

/// Several images (or frames) in one call: a patch sees the patches of its own image only.
/// `boundaries` are the count+1 cumulative lengths 0, n0, n0+n1, …, in the engine's memory
/// (upstream's cu_seqlens).
struct BlockDiagonal {
  const std::int32_t* boundaries = nullptr;
  Index count = 0;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    Index low = 0;
    Index high = count;  // binary search for the last boundary that is not past the query
    while (high - low > 1) {
      const Index middle = low + (high - low) / 2;
      (boundaries[middle] <= query ? low : high) = middle;
    }
    return {{boundaries[low], boundaries[low + 1]}, {}};
  }
};

/// Blocks of equal size one after another: a row sees its own block only.
struct EqualBlocks {
  Index size = 0;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    const Index first = query / size * size;
    return {{first, first + size}, {}};
  }
};

/// STAMP's hybrid mask: causal text, then mask tokens that see all the text before them and each
/// other. For one uncached pass over [history | masks]. The hybrid attention of Liu, Feng and Chen
/// 2025, "Better, Stronger, Faster: Tackling the Trilemma in MLLM-based Segmentation with
/// Simultaneous Textual Mask Prediction", arXiv 2512.00395.
struct HybridMask {
  Index history = 0;  ///< text tokens, `<|seg|>` included
  Index masks = 0;    ///< mask tokens after them
  [[nodiscard]] constexpr Visible visible(Index query) const {
    return {{0, query < history ? query + 1 : history + masks}, {}};
  }
};

/// The rows of the hybrid mask that belong to one object's mask tokens, over a cache: they see
/// slots [0, history) and their own block of slots [first, first + masks), which lies behind
/// whatever the dialogue has written after this object's `<|seg|>`.
struct MaskRows {
  Index history = 0;
  Index first = 0;
  Index masks = 0;
  [[nodiscard]] constexpr Visible visible(Index) const {
    return {{0, history}, {first, first + masks}};
  }
};

/// The same for several objects in one pass: rows [k·masks, (k+1)·masks) belong to object k, see
/// that object's history and block, and nothing of any other object.
/// `histories` are one length an object, in the engine's memory.
struct MaskBlocks {
  const std::int32_t* histories = nullptr;
  Index first = 0;
  Index masks = 0;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    const Index object = query / masks;
    return {{0, histories[object]}, {first + object * masks, first + (object + 1) * masks}};
  }
};

}  // namespace stamp
