// SPDX-License-Identifier: Apache-2.0
// bfloat16 against an oracle that never touches bits; half against IEEE 754 values.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stamp/tensor/half.hpp>

namespace {

using namespace stamp;

/// Nearest number of 8 significant bits, ties to the even one: arithmetic in double only.
double oracle(float value) {
  if (value == 0 || std::isinf(value)) return value;
  int exponent = 0;
  (void)std::frexp(static_cast<double>(value), &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 8, -133));  // -133: subnormal spacing
  const double scaled = static_cast<double>(value) / unit;
  double whole = std::floor(scaled);
  const double rest = scaled - whole;
  if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) != 0)) whole += 1;
  const double result = whole * unit;
  constexpr double limit = 0x1.ffp127;  // beyond the largest bfloat16 by half a unit or more
  if (std::abs(result) > 0x1.fep127) {
    return std::copysign(std::numeric_limits<double>::infinity(), limit * value);
  }
  return std::copysign(result, static_cast<double>(value));
}

void expect_rounded(std::uint32_t word) {
  const auto value = std::bit_cast<float>(word);
  const auto found = static_cast<float>(bfloat16(value));
  if (std::isnan(value)) {
    ASSERT_TRUE(std::isnan(found)) << std::hex << word;
    ASSERT_NE(bfloat16(value).bits & 0x40U, 0U) << "quiet";
    ASSERT_EQ(std::signbit(value), std::signbit(found));
    return;
  }
  ASSERT_EQ(static_cast<double>(found), oracle(value)) << std::hex << word;
  ASSERT_EQ(std::signbit(found), std::signbit(value)) << std::hex << word;
}

TEST(Bfloat16, RoundsToNearestEvenOverRandomWords) {
  std::mt19937 random(1);
  for (int draw = 0; draw < 300000; ++draw) {
    expect_rounded(static_cast<std::uint32_t>(random()));
    if (HasFatalFailure()) return;
  }
}

TEST(Bfloat16, RoundsTiesAndTheirNeighboursEverywhere) {
  for (std::uint32_t upper = 0; upper < 0x10000U; upper += 13) {
    for (const std::uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      expect_rounded((upper << 16U) | lower);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Bfloat16, EveryValueReadsBackAsItself) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    bfloat16 value;
    value.bits = static_cast<std::uint16_t>(bits);
    const auto wide = static_cast<float>(value);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(bfloat16(wide).bits, bits);
  }
}

TEST(Bfloat16, SpecialNumbers) {
  EXPECT_EQ(bfloat16(1.0F).bits, 0x3f80);
  EXPECT_EQ(bfloat16(-0.0F).bits, 0x8000);
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::infinity()).bits, 0x7f80);
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::max()).bits, 0x7f80) << "rounds up to infinity";
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::quiet_NaN()).bits & 0x7fc0, 0x7fc0);
  EXPECT_EQ(bfloat16(std::bit_cast<float>(0x7f800001U)).bits, 0x7fc0) << "not infinity";
  static_assert(bfloat16(1.5F).bits == 0x3fc0, "usable in constant expressions");
}

TEST(Half, IsIeeeBinary16) {
  EXPECT_EQ(widen(narrow<half>(1.0F / 3)), 0x1.554p-2F);
  EXPECT_EQ(widen(narrow<half>(65504.0F)), 65504.0F);
  EXPECT_TRUE(std::isinf(widen(narrow<half>(65520.0F))));
  EXPECT_EQ(widen(narrow<half>(0x1p-24F)), 0x1p-24F) << "the smallest subnormal";
  EXPECT_EQ(widen(narrow<half>(2049.0F)), 2048.0F) << "a tie goes to even";
  EXPECT_EQ(widen(narrow<half>(2051.0F)), 2052.0F) << "a tie goes to even";
  EXPECT_TRUE(std::isnan(widen(narrow<half>(std::nanf("")))));
}

TEST(Accumulators, AreDoubleForDoubleAndFloatForTheRest) {
  static_assert(std::same_as<Accumulator<double>, double>);
  static_assert(std::same_as<Accumulator<float>, float>);
  static_assert(std::same_as<Accumulator<bfloat16>, float>);
  static_assert(std::same_as<Accumulator<half>, float>);
  static_assert(Element<half> && Element<bfloat16> && !Element<int>);
}

}  // namespace
