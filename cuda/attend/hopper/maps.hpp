// SPDX-License-Identifier: Apache-2.0
// Tensor maps in the words of the driver, which alone can write them. Its library is opened when a
// map is first wanted; nothing links against it.
#pragma once

#include <stamp/cuda/attend/hopper/tile_map.hpp>

namespace stamp::cuda {

/// The driver can write tensor maps.
[[nodiscard]] bool can_encode_maps();

/// Error{resource} where the driver refuses.
void encode_map(std::uint64_t (&words)[16], const TileMap& map);

}  // namespace stamp::cuda
