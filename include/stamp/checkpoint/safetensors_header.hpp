// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file: every rule of the reference implementation (safetensors crate,
// `SafeTensors::read_metadata`), in its order, and a few bounds of our own. The rules about bytes
// stand in safetensors_layout.hpp.
#pragma once

#include <map>
#include <span>
#include <stamp/checkpoint/element_names.hpp>
#include <stamp/checkpoint/safetensors_layout.hpp>
#include <string>
#include <vector>

namespace stamp::checkpoint {

/// All tensors in the order of their bytes, and the strings that the writer attached.
struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Bounds on what an untrusted header may ask for.
struct SafetensorsLimits {
  std::size_t header_bytes = 100'000'000;  ///< of the reference
  std::size_t tensors = 65'536;
  std::size_t rank = StoredTensor::max_rank;
  std::size_t name_bytes = 4096;
  std::size_t metadata_bytes = 65'536;
};

/// The checked header of a whole file in memory. Throws Error{input} naming `where` and the rule.
[[nodiscard]] SafetensorsHeader read_safetensors_header(std::span<const std::byte> file,
                                                        std::string where,
                                                        SafetensorsLimits limits = {});

}  // namespace stamp::checkpoint
