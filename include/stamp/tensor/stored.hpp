// SPDX-License-Identifier: Apache-2.0
// A tensor as a file stores it: element type, shape and a pointer into the file's memory map.
// Models are bound to stored tensors; they never learn which file format those came from.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace stamp {

/// Element types that tensors are stored in. Weights are float32, float16, bfloat16 or float64.
enum class ElementType { float32, float16, bfloat16, float64, int32, int64 };

/// Bytes of one element.
[[nodiscard]] constexpr Index bytes_of(ElementType type) {
  switch (type) {
    case ElementType::float16:
    case ElementType::bfloat16:
      return 2;
    case ElementType::float32:
    case ElementType::int32:
      return 4;
    case ElementType::float64:
    case ElementType::int64:
      return 8;
  }
  return 0;
}

/// The name that safetensors uses: "F32", "F16", "BF16", "F64", "I32", "I64".
[[nodiscard]] constexpr std::string_view name_of(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return "F32";
    case ElementType::float16:
      return "F16";
    case ElementType::bfloat16:
      return "BF16";
    case ElementType::float64:
      return "F64";
    case ElementType::int32:
      return "I32";
    case ElementType::int64:
      return "I64";
  }
  return "?";
}

/// Row-major tensor in somebody else's memory (a memory map); `data` may be unaligned.
struct StoredTensor {
  static constexpr std::size_t max_rank = 8;

  ElementType type = ElementType::float32;
  std::array<Index, max_rank> extents{};
  std::size_t rank = 0;
  const std::byte* data = nullptr;
  /// In a read-only map of a file: pages that are given back come again when they are touched.
  bool mapped = false;

  [[nodiscard]] std::span<const Index> shape() const { return {extents.data(), rank}; }
  /// Number of elements; the loader has checked that it does not overflow.
  [[nodiscard]] Index size() const {
    Index product = 1;
    for (const Index extent : shape()) product *= extent;
    return product;
  }
  [[nodiscard]] Index bytes() const { return size() * bytes_of(type); }
};

/// "(16, 8960)" for error messages.
[[nodiscard]] inline std::string to_string(std::span<const Index> shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  }
  return text + ")";
}

/// A tensor that a module wants from a checkpoint.
struct ExpectedTensor {
  std::string name;          ///< full checkpoint name
  std::vector<Index> shape;  ///< as the file must have it
  std::string axes;          ///< "(Ffn 8960, Hidden 1536)"
};

/// Anything that finds a stored tensor by its checkpoint name; empty when it has none of that name.
template <class Source>
concept WeightSource = requires(const Source& source, std::string_view name) {
  { source.find(name) } -> std::convertible_to<std::optional<StoredTensor>>;
};

}  // namespace stamp
