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

/// Keys [k·width, (k + 1)·width), for the k of which some key is in a hull, in rising order. Tiles
/// stand where they stand whatever the hull is, and keys that a row does not see add nothing to its
/// sums: in which order a row's keys are summed depends on no other row.
template <int width>
struct KeyTiles {
  KeyHull hull;

  [[nodiscard]] constexpr Index count() const { return history().size() + own().size(); }
  /// From the tile's first key to its last one of the hull; between them the hull may have a gap.
  [[nodiscard]] constexpr KeyRange tile(Index at) const {
    const KeyRange before = history();
    const Index number = at < before.size() ? before.begin + at : own().begin + at - before.size();
    const Index begin = number * width;
    const bool own_keys = hull.own.size() > 0 && hull.own.begin < begin + width;
    const Index end = own_keys ? hull.own.end : hull.history.end;
    return {begin, begin + width < end ? begin + width : end};
  }
  /// Some row may see the key: what others hold is not to be counted on.
  [[nodiscard]] constexpr bool holds(Index key) const { return within().sees(key); }
  /// All of a tile's keys are in the hull.
  [[nodiscard]] constexpr bool fills(const KeyRange& tile) const {
    const auto in = [&](const KeyRange& range) {
      return tile.begin >= range.begin && tile.begin + width <= range.end;
    };
    return in(hull.history) || in(hull.own);
  }
  /// The tiles of part `part`, where each has `tiles` of all the tiles of the keys' tensor: places
  /// in this list, none where the hull has no key there.
  [[nodiscard]] constexpr KeyRange part(Index part, Index tiles) const {
    return {before(part * tiles), before((part + 1) * tiles)};
  }

 private:
  [[nodiscard]] constexpr Visible within() const { return {hull.history, hull.own}; }
  /// Numbers of the tiles that hold keys of the history, and of those that hold own keys alone.
  [[nodiscard]] constexpr KeyRange history() const { return touched(hull.history); }
  [[nodiscard]] constexpr KeyRange own() const {
    KeyRange tiles = touched(hull.own);
    const Index taken = history().end;
    if (hull.history.size() > 0 && tiles.begin < taken) tiles.begin = taken;
    if (tiles.end < tiles.begin) tiles.end = tiles.begin;
    return tiles;
  }
  [[nodiscard]] static constexpr KeyRange touched(const KeyRange& keys) {
    if (keys.size() <= 0) return {};
    return {keys.begin / width, divide_up(keys.end, width)};
  }
  /// Tiles of the list in front of tile `number`.
  [[nodiscard]] constexpr Index before(Index number) const {
    const auto in = [&](const KeyRange& tiles) {
      if (number <= tiles.begin) return Index{0};
      return number < tiles.end ? number - tiles.begin : tiles.size();
    };
    return in(history()) + in(own());
  }
};

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

/// How the keys of one query tile are shared among blocks: each takes so many tiles of the keys'
/// tensor, whichever of them the rows see.
struct KeySplit {
  static constexpr Index all = Index{1} << 40U;
  Index parts = 1;
  Index tiles = all;  ///< a part
};

/// One part where the query tiles alone fill the device, else as many as fill it once over a usual
/// number of keys, each with at least two tiles: a part costs a trip of its sums through memory.
/// How many tiles a part has depends on the number of blocks only, so a row's sums do not change
/// with the keys behind those that it sees.
[[nodiscard]] constexpr KeySplit split_keys(Index blocks, Index keys, Index width,
                                            Index multiprocessors) {
  constexpr Index usual_keys = 2048;
  constexpr Index least = 2;
  if (blocks <= 0 || keys <= 0 || blocks * 2 > multiprocessors) return {};
  const Index share = divide_up(divide_up(usual_keys, width), multiprocessors / blocks);
  const Index tiles = share < least ? least : share;
  const Index parts = divide_up(divide_up(keys, width), tiles);
  if (parts == 1) return {};
  return {parts, tiles};
}

}  // namespace stamp::cuda
