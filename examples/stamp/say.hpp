// SPDX-License-Identifier: Apache-2.0
// Words for stderr. Whether anybody can read them never decides how a run ends, so this does not
// throw where fmt::print would: stderr may be closed, or a full disk.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace stamp::command {

template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string text = fmt::format(format, std::forward<Arguments>(arguments)...);
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace stamp::command
