// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/element_names.hpp>.
#pragma once

#include <stamp/checkpoint/element_names.hpp>

namespace stamp::checkpoint {

std::string supported_list() {
  std::string list = "supported:";
  for (const ElementType type : supported_elements) {
    list += (list.back() == ':' ? " " : ", ") + std::string(name_of(type));
  }
  return list;
}

}  // namespace stamp::checkpoint
