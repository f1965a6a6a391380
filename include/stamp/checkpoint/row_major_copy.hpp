// SPDX-License-Identifier: Apache-2.0
// The elements of a strided tensor, put one behind the other.
// Mirrors `torch.Tensor.contiguous`.
#pragma once

#include <span>
#include <stamp/checkpoint/pth_tensors.hpp>
#include <vector>

namespace stamp::checkpoint {

/// `file` is the whole file that `tensor` was found in; its reader has checked every stride.
[[nodiscard]] std::vector<std::byte> row_major_copy(std::span<const std::byte> file,
                                                    const StridedTensor& tensor);

}  // namespace stamp::checkpoint
