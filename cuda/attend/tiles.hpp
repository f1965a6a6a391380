// SPDX-License-Identifier: Apache-2.0
// Which tiles of keys a tile of queries has to read, and how they are split among blocks. Tiles
// that no row of the tile sees are never visited. The same code on the host and on the device.
#pragma once

#include <stamp/ops/mask.hpp>

namespace stamp::cuda {

/// The keys that some rows see between them: the hull of their histories, then the hull of their
/// own ranges without what the first one covers. Every visible key is in exactly one of the two.
struct KeyHull {
  KeyRange history;
  KeyRange own;

  /// One more row.
  constexpr void join(const Visible& seen) {
    widen(history, seen.history);
    widen(own, seen.own);
  }
  /// After the last row.
  constexpr void close() {
    if (own.size() > 0 && own.begin < history.end) {
      // Rules of a user's own may interleave the two; then one hull covers both.
      if (own.begin < history.begin) {
        widen(history, own);
        own = {};
      } else {
        own.begin = history.end < own.end ? history.end : own.end;
      }
    }
  }

 private:
  static constexpr void widen(KeyRange& hull, const KeyRange& range) {
    if (range.size() <= 0) return;
    if (hull.size() <= 0) {
      hull = range;
      return;
    }
    if (range.begin < hull.begin) hull.begin = range.begin;
    if (range.end > hull.end) hull.end = range.end;
  }
};

[[nodiscard]] constexpr Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

/// Tiles of at most `width` keys over a hull: first those of the history, then those of the own.
struct KeyTiles {
  KeyHull hull;
  Index width = 0;

  [[nodiscard]] constexpr Index count() const {
    return divide_up(hull.history.size(), width) + divide_up(hull.own.size(), width);
  }
  [[nodiscard]] constexpr KeyRange tile(Index at) const {
    const Index before = divide_up(hull.history.size(), width);
    const KeyRange range = at < before ? hull.history : hull.own;
    const Index begin = range.begin + (at < before ? at : at - before) * width;
    return {begin, begin + width < range.end ? begin + width : range.end};
  }
};

/// Tiles [begin, end) of `tiles` that part `part` of `parts` takes; parts differ by one at most.
[[nodiscard]] constexpr KeyRange part_of(Index tiles, Index part, Index parts) {
  return {tiles * part / parts, tiles * (part + 1) / parts};
}

/// A query tile holds `height` packed rows: the heads of a group side by side, row by row, so that
/// one tile of keys serves all query heads of its key head.
struct PackedRows {
  Index group = 1;  ///< query heads a key head
  [[nodiscard]] constexpr Index token(Index packed) const { return packed / group; }
  [[nodiscard]] constexpr Index head(Index packed, Index kv_head) const {
    return kv_head * group + packed % group;
  }
};

/// Launches are planned for numbers of keys in steps of this: a dialogue that grows by a word asks
/// for the same launches.
inline constexpr Index key_step = 512;
[[nodiscard]] constexpr Index reach_of(Index keys) { return divide_up(keys, key_step) * key_step; }

/// How many blocks share the keys of one query tile. 1 where the tiles alone fill the device, else
/// as many as fill it once, each with at least `least` tiles of keys: a part costs a trip of its
/// sums through memory. Depends on shapes only, so equal calls give equal bits.
[[nodiscard]] constexpr Index split_keys(Index blocks, Index key_tiles, Index multiprocessors,
                                         Index least = 2) {
  if (blocks <= 0 || blocks * 2 > multiprocessors) return 1;
  const Index wanted = multiprocessors / blocks;
  const Index possible = key_tiles / least;
  const Index parts = wanted < possible ? wanted : possible;
  return parts < 1 ? 1 : parts;
}

}  // namespace stamp::cuda
