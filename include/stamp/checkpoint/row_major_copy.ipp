// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/row_major_copy.hpp>.
#pragma once

#include <cstring>
#include <stamp/checkpoint/row_major_copy.hpp>

namespace stamp::checkpoint {

std::vector<std::byte> row_major_copy(std::span<const std::byte> file,
                                      const StridedTensor& tensor) {
  std::vector<std::byte> copy(tensor.entry.bytes());
  if (copy.empty()) return copy;
  const auto& shape = tensor.entry.shape;
  const auto width = static_cast<std::size_t>(*bits_of(tensor.entry.dtype)) / 8;
  std::vector<Index> at(shape.size(), 0);
  Index element = 0;  // from the first one, in the storage
  for (std::size_t written = 0; written < copy.size(); written += width) {
    std::memcpy(copy.data() + written,
                file.data() + tensor.first_byte + static_cast<std::size_t>(element) * width, width);
    // The next index: the last axis first, like an odometer.
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (shape[axis] == 1) continue;  // its stride may be any number
      element += tensor.strides[axis];
      if (++at[axis] < shape[axis]) break;
      element -= shape[axis] * tensor.strides[axis];
      at[axis] = 0;
    }
  }
  return copy;
}

}  // namespace stamp::checkpoint
