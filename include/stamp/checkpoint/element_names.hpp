// SPDX-License-Identifier: Apache-2.0
// The element types of the safetensors format: those that exist, and those that weights may have.
// Mirrors `enum Dtype` of the safetensors crate 0.5 and later.
#pragma once

#include <array>
#include <optional>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// A type by its name in the file and the bits of one element.
struct ElementName {
  std::string_view name;
  int bits = 0;
};

inline constexpr std::array known_elements{
    ElementName{"BOOL", 8},        ElementName{"U8", 8},          ElementName{"I8", 8},
    ElementName{"F8_E5M2", 8},     ElementName{"F8_E4M3", 8},     ElementName{"F8_E8M0", 8},
    ElementName{"F8_E4M3FNUZ", 8}, ElementName{"F8_E5M2FNUZ", 8}, ElementName{"I16", 16},
    ElementName{"U16", 16},        ElementName{"F16", 16},        ElementName{"BF16", 16},
    ElementName{"I32", 32},        ElementName{"U32", 32},        ElementName{"F32", 32},
    ElementName{"C64", 64},        ElementName{"F64", 64},        ElementName{"I64", 64},
    ElementName{"U64", 64},        ElementName{"F4", 4},          ElementName{"F6_E2M3", 6},
    ElementName{"F6_E3M2", 6}};

inline constexpr std::array supported_elements{ElementType::float32,  ElementType::float16,
                                               ElementType::bfloat16, ElementType::float64,
                                               ElementType::int32,    ElementType::int64};

/// Bits of one element; empty for a name that the format does not have.
[[nodiscard]] constexpr std::optional<int> bits_of(std::string_view name) {
  for (const ElementName& element : known_elements) {
    if (element.name == name) return element.bits;
  }
  return std::nullopt;
}

/// The element type that this library computes from; empty for "U8", "F8_E4M3" and the like.
[[nodiscard]] constexpr std::optional<ElementType> element_type(std::string_view name) {
  for (const ElementType type : supported_elements) {
    if (name_of(type) == name) return type;
  }
  return std::nullopt;
}

/// "supported: F32, F16, ..." for messages.
[[nodiscard]] std::string supported_list();

}  // namespace stamp::checkpoint
