// SPDX-License-Identifier: Apache-2.0
// The state dict in a PyTorch pickle: names, shapes, and where the elements of each tensor lie.
// Mirrors `torch._utils._rebuild_tensor_v2` and `_rebuild_parameter`.
#pragma once

#include <stamp/checkpoint/pth_zip.hpp>
#include <stamp/checkpoint/safetensors_header.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// A tensor as a window on a storage: element (i, j, ...) lies at offset + i*stride + ...
struct StridedTensor {
  TensorEntry entry;           ///< begin, end: bytes of the file, if `row_major`, else 0 and size
  std::vector<Index> strides;  ///< in elements, as the file tells
  std::size_t first_byte = 0;  ///< of element (0, 0, ...), from the file's start
  bool row_major = true;       ///< it can be used in place
};

/// What a `.pth` holds: its tensors in the order of the dictionary, and the names of the rest.
struct StateDict {
  std::vector<StridedTensor> tensors;
  std::vector<std::string> others;  ///< "epoch", "optimizer": no tensors, or outside; left alone
};

/// The tensors of the dictionary, or of the one under "state_dict" or "model". Throws Error{input}
/// "WHERE: NAME: ...".
[[nodiscard]] StateDict read_state_dict(const PthContent& content, std::string where);

}  // namespace stamp::checkpoint
