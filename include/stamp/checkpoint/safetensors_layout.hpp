// SPDX-License-Identifier: Apache-2.0
// Where the tensors of a safetensors file lie, and the rules about that.
// Mirrors `Metadata::validate` of the safetensors crate, in its order.
#pragma once

#include <cstddef>
#include <stamp/checkpoint/element_names.hpp>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp::checkpoint {

/// One tensor as the header describes it; `begin` and `end` are bytes from the file's start.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<Index> shape;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] std::size_t bytes() const { return end - begin; }
};

/// The tensor of an entry whose numbers begin at `data`. Throws Error{input} "WHERE: ..." when its
/// type is not one to compute from.
[[nodiscard]] StoredTensor stored_tensor(const TensorEntry& entry, const std::byte* data,
                                         const std::string& where);

namespace detail {

/// Sorts by position and makes the header's offsets absolute; `data` is where the tensors begin.
/// Every tensor must start where the one before ended: this one rule forbids overlaps, holes and
/// games with the order. Throws Error{input} "WHERE: NAME: ...".
void check_layout(std::vector<TensorEntry>& tensors, std::string_view where, std::size_t data,
                  std::size_t file_bytes);

}  // namespace detail

}  // namespace stamp::checkpoint
