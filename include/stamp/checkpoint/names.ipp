// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/names.hpp>.
#pragma once

#include <stamp/checkpoint/names.hpp>

namespace stamp::checkpoint {

std::string canonical_name(std::string_view name) {
  constexpr std::string_view vision = "model.visual.", language = "model.language_model.";
  if (name.starts_with(vision)) return "visual." + std::string(name.substr(vision.size()));
  if (name.starts_with(language)) return "model." + std::string(name.substr(language.size()));
  return std::string(name);
}

}  // namespace stamp::checkpoint
