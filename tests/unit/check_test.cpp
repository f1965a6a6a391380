// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <stamp/tensor/check.hpp>

namespace {

TEST(Check, ProductThatDoesNotFitIsRefusedWithItsName) {
  try {
    (void)stamp::checked_multiply(std::numeric_limits<stamp::Index>::max() / 2, 3, "w");
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    EXPECT_EQ(error.fault(), stamp::Fault::input);
    EXPECT_NE(std::string(error.what()).find("w: element count overflows"), std::string::npos);
  }
  EXPECT_EQ(stamp::checked_multiply(3, 4, "w"), 12);
}

}  // namespace
