// SPDX-License-Identifier: Apache-2.0
// The 8-bit float against its definition: every code, and every place where rounding turns.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stamp/cuda/float8.hpp>

namespace stamp::cuda {
namespace {

float value_of(unsigned code) {
  float8_e4m3 number;
  number.bits = static_cast<std::uint8_t>(code);
  return static_cast<float>(number);
}
unsigned code_of(float value) { return float8_e4m3(value).bits; }

TEST(Float8, EveryCodeHasTheValueOfItsFields) {
  for (unsigned code = 0; code < 256; ++code) {
    const int exponent = static_cast<int>(code >> 3U & 15U);
    const auto mantissa = static_cast<float>(code & 7U);
    const float value = value_of(code);
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
    if ((code & 127U) == 127) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    const float magnitude =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(1 + mantissa / 8, exponent - 7);
    EXPECT_EQ(std::abs(value), magnitude) << code;
    EXPECT_EQ(code_of(value), code) << "there and back";
  }
  EXPECT_EQ(value_of(0x7e), 448.0F);
  EXPECT_EQ(value_of(0x01), 0x1p-9F);
}

/// Between two neighbours the nearer one, and of equally near ones the even code; numbers below the
/// smallest and between normal and subnormal ones are among them.
TEST(Float8, RoundsToTheNearestAndTiesToTheEvenCode) {
  for (const unsigned sign : {0U, 128U}) {
    for (unsigned code = 0; code < 126; ++code) {
      const float below = value_of(code);
      const float above = value_of(code + 1);
      const float middle = (below + above) / 2;  // exact
      const float towards = sign == 0 ? 1 : -1;
      EXPECT_EQ(code_of(towards * middle), sign | (code + code % 2)) << middle;
      EXPECT_EQ(code_of(towards * std::nextafter(middle, 0.0F)), sign | code) << middle;
      EXPECT_EQ(code_of(towards * std::nextafter(middle, 1e9F)), sign | (code + 1)) << middle;
      EXPECT_EQ(code_of(towards * std::nextafter(below, 1e9F)), sign | code) << below;
      EXPECT_EQ(code_of(towards * std::nextafter(above, 0.0F)), sign | (code + 1)) << above;
    }
  }
}

TEST(Float8, SaturatesAndKeepsNaN) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float large : {448.0F, 463.9F, 464.0F, 464.1F, 480.0F, 1e30F, infinity}) {
    EXPECT_EQ(code_of(large), 0x7eU) << large;
    EXPECT_EQ(code_of(-large), 0xfeU) << large;
  }
  EXPECT_EQ(code_of(NAN), 0x7fU);
  EXPECT_EQ(code_of(-NAN), 0xffU);
  EXPECT_EQ(code_of(std::bit_cast<float>(0x7f800001U)), 0x7fU) << "a signalling NaN";
  EXPECT_EQ(code_of(-0.0F), 0x80U);
  EXPECT_EQ(code_of(std::numeric_limits<float>::denorm_min()), 0U);
}

}  // namespace
}  // namespace stamp::cuda
