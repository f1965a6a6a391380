// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/safetensors_layout.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/safetensors_layout.hpp>
#include <tuple>

namespace stamp::checkpoint {

StoredTensor stored_tensor(const TensorEntry& entry, const std::byte* data,
                           const std::string& where) {
  const auto type = element_type(entry.dtype);
  if (!type) {
    fail(Fault::input, where + ": dtype " + entry.dtype + " of " + printable(entry.name) +
                           " unsupported, " + supported_list());
  }
  StoredTensor tensor{.type = *type};
  tensor.rank = entry.shape.size();
  std::copy(entry.shape.begin(), entry.shape.end(), tensor.extents.begin());
  tensor.data = data;
  return tensor;
}

namespace detail {

void check_layout(std::vector<TensorEntry>& tensors, std::string_view where, std::size_t data,
                  std::size_t file_bytes) {
  const auto stop = [&](const std::string& what) {
    fail(Fault::input, std::string(where) + ": " + what);
  };
  std::sort(tensors.begin(), tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::size_t expected = 0;
  for (const TensorEntry& tensor : tensors) {
    const std::string label = printable(tensor.name);
    if (tensor.begin != expected || tensor.end < tensor.begin) {
      stop(label + ": data_offsets [" + std::to_string(tensor.begin) + "," +
           std::to_string(tensor.end) + "] expected to start at " + std::to_string(expected) +
           " and not to end before");
    }
    Index bytes = static_cast<Index>(*bits_of(tensor.dtype) / 8);
    for (const Index extent : tensor.shape) {
      bytes = checked_multiply(bytes, extent, std::string(where) + ": " + label);
    }
    if (static_cast<std::size_t>(bytes) != tensor.bytes()) {
      stop(label + ": shape needs " + std::to_string(bytes) + " bytes, offsets give " +
           std::to_string(tensor.bytes()));
    }
    expected = tensor.end;
  }
  const std::size_t held = file_bytes - data;
  if (expected != held) {
    stop("file has " + std::to_string(file_bytes) + " bytes, header describes " +
         std::to_string(expected) + " after byte " + std::to_string(data) +
         (expected > held ? "; truncated download?" : "; trailing bytes"));
  }
  for (TensorEntry& tensor : tensors) {
    tensor.begin += data;
    tensor.end += data;
  }
}

}  // namespace detail

}  // namespace stamp::checkpoint
