// SPDX-License-Identifier: Apache-2.0
// Slots and masks whose numbers stand in the engine's memory instead of in the call: the launches
// of one step are then those of the next, and can be recorded once for both (ops/replay.hpp).
#pragma once

#include <stamp/ops/mask.hpp>

namespace stamp {

/// Where a pass writes its keys and values: into the slots from `*first` on, read from the engine's
/// memory when the launches run. No row of the pass sees a slot from `reach` on.
struct SlotAt {
  const std::int32_t* first = nullptr;
  Index reach = 0;
};

/// Causal{*history}.
struct CausalAt {
  const std::int32_t* history = nullptr;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    return Causal{*history}.visible(query);
  }
};

/// MaskBlocks{places + 1, places[0], masks}: the first slot of the masks, then one history an
/// object. With one object it is MaskRows.
struct MaskBlocksAt {
  const std::int32_t* places = nullptr;
  Index masks = 0;
  [[nodiscard]] constexpr Visible visible(Index query) const {
    return MaskBlocks{places + 1, places[0], masks}.visible(query);
  }
};

}  // namespace stamp
