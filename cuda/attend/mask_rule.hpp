// SPDX-License-Identifier: Apache-2.0
// Every mask policy as one plain struct, so that attention kernels are compiled once for all of
// them. A policy of a user's own becomes a table of what each row sees.
#pragma once

#include <concepts>
#include <stamp/ops/mask.hpp>

namespace stamp::cuda {

/// One of the policies of ops/mask.hpp, or a table; evaluated on the host and on the device.
class MaskRule {
 public:
  explicit constexpr MaskRule(Causal mask) : kind_(Kind::causal), a_(mask.history) {}
  explicit constexpr MaskRule(Bidirectional mask) : kind_(Kind::bidirectional), a_(mask.keys) {}
  explicit constexpr MaskRule(BlockDiagonal mask)
      : kind_(Kind::block_diagonal), a_(mask.count), numbers_(mask.boundaries) {}
  explicit constexpr MaskRule(EqualBlocks mask) : kind_(Kind::equal_blocks), a_(mask.size) {}
  explicit constexpr MaskRule(HybridMask mask)
      : kind_(Kind::hybrid), a_(mask.history), b_(mask.masks) {}
  explicit constexpr MaskRule(MaskRows mask)
      : kind_(Kind::mask_rows), a_(mask.history), b_(mask.first), c_(mask.masks) {}
  explicit constexpr MaskRule(MaskBlocks mask)
      : kind_(Kind::mask_blocks), a_(mask.first), b_(mask.masks), numbers_(mask.histories) {}
  /// What row 0, 1, … sees, in memory of whoever evaluates it.
  explicit constexpr MaskRule(const Visible* table) : kind_(Kind::table), table_(table) {}

  /// The intervals of a row, cut off at `keys`: no kernel reads behind the last key.
  [[nodiscard]] constexpr Visible visible(Index row, Index keys) const {
    Visible seen = rule(row);
    clip(seen.history, keys);
    clip(seen.own, keys);
    return seen;
  }

 private:
  enum class Kind : int {
    causal,
    bidirectional,
    block_diagonal,
    equal_blocks,
    hybrid,
    mask_rows,
    mask_blocks,
    table
  };

  [[nodiscard]] constexpr Visible rule(Index row) const {
    switch (kind_) {
      case Kind::causal:
        return Causal{a_}.visible(row);
      case Kind::bidirectional:
        return Bidirectional{a_}.visible(row);
      case Kind::block_diagonal:
        return BlockDiagonal{numbers_, a_}.visible(row);
      case Kind::equal_blocks:
        return EqualBlocks{a_}.visible(row);
      case Kind::hybrid:
        return HybridMask{a_, b_}.visible(row);
      case Kind::mask_rows:
        return MaskRows{a_, b_, c_}.visible(row);
      case Kind::mask_blocks:
        return MaskBlocks{numbers_, a_, b_}.visible(row);
      case Kind::table:
        return table_[row];
    }
    return {};
  }

  static constexpr void clip(KeyRange& range, Index keys) {
    if (range.begin < 0) range.begin = 0;
    if (range.end > keys) range.end = keys;
    if (range.end < range.begin) range.end = range.begin;
  }

  Kind kind_;
  Index a_ = 0;
  Index b_ = 0;
  Index c_ = 0;
  const std::int32_t* numbers_ = nullptr;
  const Visible* table_ = nullptr;
};

/// The policy can be asked on the host: it holds no pointer into device memory.
template <class Mask>
inline constexpr bool known_on_host =
    !std::same_as<Mask, BlockDiagonal> && !std::same_as<Mask, MaskBlocks>;

/// A policy of ops/mask.hpp, which needs no table.
template <class Mask>
inline constexpr bool has_rule = std::constructible_from<MaskRule, Mask>;

}  // namespace stamp::cuda
