// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/scan.hpp>.
#pragma once

#include <cstdint>
#include <stamp/checkpoint/scan.hpp>

namespace stamp::checkpoint {

NonFinite find_non_finite(const StoredTensor& tensor) {
  switch (tensor.type) {
    case ElementType::float32:
      return detail::scan_exponents<std::uint32_t>(tensor, 0x7F800000U);
    case ElementType::float16:
      return detail::scan_exponents<std::uint16_t>(tensor, 0x7C00U);
    case ElementType::bfloat16:
      return detail::scan_exponents<std::uint16_t>(tensor, 0x7F80U);
    case ElementType::float64:
      return detail::scan_exponents<std::uint64_t>(tensor, 0x7FF0000000000000U);
    case ElementType::int32:
    case ElementType::int64:
      break;
  }
  return {};
}

void check_finite(std::string_view name, const StoredTensor& tensor) {
  const NonFinite found = find_non_finite(tensor);
  if (found.count == 0) return;
  fail(Fault::input, printable(name) + " has " + std::to_string(found.count) +
                         " non-finite values, first at index " + std::to_string(found.first));
}

bool all_zero(const StoredTensor& tensor) {
  const auto bytes = static_cast<std::size_t>(tensor.bytes());
  const auto width = static_cast<std::size_t>(bytes_of(tensor.type));
  const bool floating = tensor.type != ElementType::int32 && tensor.type != ElementType::int64;
  for (std::size_t at = 0; at < bytes; ++at) {
    // Little-endian: the sign of a float is the top bit of its last byte.
    const bool sign_byte = floating && at % width == width - 1;
    const std::byte ignored{static_cast<unsigned char>(sign_byte ? 0x80 : 0x00)};
    if ((tensor.data[at] & ~ignored) != std::byte{0}) return false;
  }
  return bytes > 0;
}

std::string norm_warning(std::string_view name, const StoredTensor& tensor) {
  const bool norm = name.ends_with("norm.weight") || name.ends_with("norm1.weight") ||
                    name.ends_with("norm2.weight") || name.ends_with("layernorm.weight") ||
                    name.ends_with("ln_q.weight");
  if (!norm || !all_zero(tensor)) return {};
  return printable(name) + ": all " + std::to_string(tensor.size()) + " values are zero";
}

}  // namespace stamp::checkpoint
