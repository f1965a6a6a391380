// SPDX-License-Identifier: Apache-2.0
// A stored tensor with its axes in another order, or several times over, in memory of its own.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <stamp/tensor/stored.hpp>

namespace stamp {

/// A stored tensor and the bytes it stands on; copies share them.
struct OwnedTensor {
  StoredTensor stored;
  std::shared_ptr<std::vector<std::byte>> bytes;
};

namespace detail {
[[nodiscard]] inline OwnedTensor own(ElementType type, std::vector<Index> shape) {
  OwnedTensor owned;
  owned.stored.type = type;
  owned.stored.rank = shape.size();
  std::copy(shape.begin(), shape.end(), owned.stored.extents.begin());
  owned.bytes =
      std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(owned.stored.bytes()));
  owned.stored.data = owned.bytes->data();
  return owned;
}
}  // namespace detail

/// Axis a of the result is axis order[a] of `stored`, as torch.Tensor.permute: the numbers are the
/// same bits. `order` holds each axis once.
[[nodiscard]] inline OwnedTensor permute_stored(const StoredTensor& stored,
                                                std::initializer_list<std::size_t> order) {
  std::vector<Index> shape;
  std::vector<Index> steps;  // of the source, for one step along each axis of the result
  for (const std::size_t axis : order) {
    Index step = 1;
    for (std::size_t inner = axis + 1; inner < stored.rank; ++inner) step *= stored.extents[inner];
    shape.push_back(stored.extents[axis]);
    steps.push_back(step);
  }
  const OwnedTensor owned = detail::own(stored.type, shape);
  const auto size = static_cast<std::size_t>(bytes_of(stored.type));
  for (Index at = 0; at < stored.size(); ++at) {
    Index from = 0;
    Index rest = at;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += rest % shape[axis] * steps[axis];
      rest /= shape[axis];
    }
    std::memcpy(owned.bytes->data() + static_cast<std::size_t>(at) * size,
                stored.data + static_cast<std::size_t>(from) * size, size);
  }
  return owned;
}

/// The numbers of a vector `times` times over.
[[nodiscard]] inline OwnedTensor repeat_stored(const StoredTensor& stored, Index times) {
  const OwnedTensor owned = detail::own(stored.type, {stored.size() * times});
  const auto bytes = static_cast<std::size_t>(stored.bytes());
  for (Index at = 0; at < times; ++at) {
    std::memcpy(owned.bytes->data() + static_cast<std::size_t>(at) * bytes, stored.data, bytes);
  }
  return owned;
}

}  // namespace stamp
