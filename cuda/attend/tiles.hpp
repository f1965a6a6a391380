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
/// sums: in which order a row's keys are summed depends on no other row. Slots are below 2^31.
template <int width>
class KeyTiles {
 public:
  /// From the tile's first key to its last one of the hull; between them the hull may have a gap.
  struct Tile {
    int begin = 0;
    int end = 0;
    [[nodiscard]] constexpr int size() const { return end - begin; }
  };

  KeyTiles() = default;
  constexpr explicit KeyTiles(KeyHull hull) {
    hull.close();
    const auto place = [](Index key) { return static_cast<int>(key); };
    if (hull.history.size() > 0) {
      history_ = {place(hull.history.begin), place(hull.history.end)};
      first_ = history_.begin / width;
      history_tiles_ = (history_.end + width - 1) / width - first_;
    }
    if (hull.own.size() > 0) {
      own_ = {place(hull.own.begin), place(hull.own.end)};
      own_first_ = own_.begin / width;
      // A tile that holds keys of both is one.
      const int taken = history_tiles_ > 0 ? first_ + history_tiles_ : 0;
      if (own_first_ < taken) own_first_ = taken;
      own_tiles_ = (own_.end + width - 1) / width - own_first_;
      if (own_tiles_ < 0) own_tiles_ = 0;
    }
  }

  [[nodiscard]] constexpr int count() const { return history_tiles_ + own_tiles_; }
  [[nodiscard]] constexpr Tile tile(int at) const {
    const int number = at < history_tiles_ ? first_ + at : own_first_ + at - history_tiles_;
    const int begin = number * width;
    const bool has_own = own_.end > begin && own_.begin < begin + width;
    const int end = has_own ? own_.end : history_.end;
    return {begin, begin + width < end ? begin + width : end};
  }
  /// Some row may see the key: what others hold is not to be counted on.
  [[nodiscard]] constexpr bool holds(int key) const {
    const bool history = (key >= history_.begin) & (key < history_.end);
    const bool own = (key >= own_.begin) & (key < own_.end);
    return history | own;
  }
  /// All of a tile's keys are in the hull.
  [[nodiscard]] constexpr bool fills(const Tile& tile) const {
    const int end = tile.begin + width;
    return (tile.begin >= history_.begin && end <= history_.end) ||
           (tile.begin >= own_.begin && end <= own_.end);
  }
  /// The tiles of part `part`, where each has `tiles` of all the tiles of the keys' tensor: places
  /// in this list, none where the hull has no key there.
  [[nodiscard]] constexpr Tile part(Index part, Index tiles) const {
    return {before(part * tiles), before((part + 1) * tiles)};
  }

 private:
  /// Tiles of the list in front of tile `number`.
  [[nodiscard]] constexpr int before(Index number) const {
    const auto in = [&](int first, int tiles) {
      const Index behind = number - first;
      return behind < 0 ? 0 : behind < tiles ? static_cast<int>(behind) : tiles;
    };
    return in(first_, history_tiles_) + in(own_first_, own_tiles_);
  }

  Tile history_, own_;  ///< the hull
  int first_ = 0, history_tiles_ = 0;
  int own_first_ = 0, own_tiles_ = 0;  ///< without those of the history
};

/// A query tile holds `height` packed rows: the heads of a group side by side, row by row, so that
/// one tile of keys serves all query heads of its key head.
struct PackedRows {
  int group = 1;  ///< query heads a key head
  // Packed rows are fewer than 2^31: a division of 64 bits takes a device many times as long.
  [[nodiscard]] constexpr Index token(Index packed) const {
    return static_cast<int>(packed) / group;
  }
  [[nodiscard]] constexpr Index head(Index packed, Index kv_head) const {
    return kv_head * group + static_cast<int>(packed) % group;
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
