// SPDX-License-Identifier: Apache-2.0
// What a device says where it cannot do something.
#pragma once

#include <gtest/gtest.h>

#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

namespace stamp::test {

/// The sentence of a missing resource.
template <class Do>
[[nodiscard]] std::string sentence_of(const Do& go) {
  try {
    go();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::resource) << error.what();
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
    return error.what();
  }
  return "no error";
}

}  // namespace stamp::test
