// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <stamp/text/utf8.hpp>
#include <string>
#include <string_view>

namespace {

using namespace std::string_literals;
using stamp::text::first_invalid_utf8;
using stamp::text::lossy_utf8;

std::string error_of(std::string_view text) {
  try {
    stamp::text::require_utf8(text, "prompt");
  } catch (const stamp::Error& error) {
    EXPECT_EQ(error.fault(), stamp::Fault::input);
    return error.what();
  }
  return "";
}

TEST(Utf8, EveryScalarValueIsValidAndReadBack) {
  for (char32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    std::string text;
    stamp::text::append_utf8(text, point);
    ASSERT_EQ(first_invalid_utf8(text), std::nullopt) << static_cast<unsigned>(point);
    ASSERT_EQ(stamp::text::front_code_point(text), point);
    ASSERT_EQ(stamp::text::back_length(text), text.size());
  }
}

TEST(Utf8, FirstBadByteIsNamed) {
  EXPECT_NE(error_of("ab\xC3\x28").find("prompt is not UTF-8 at byte 2"), std::string::npos);
  EXPECT_NE(error_of("\xC0\xAF").find("at byte 0"), std::string::npos) << "overlong";
  EXPECT_NE(error_of("x\xE0\x80\xAF").find("at byte 1"), std::string::npos) << "overlong";
  EXPECT_NE(error_of("xy\xED\xA0\x80").find("at byte 2"), std::string::npos) << "surrogate";
  EXPECT_NE(error_of("\xF4\x90\x80\x80").find("at byte 0"), std::string::npos) << "> 10FFFF";
  EXPECT_NE(error_of("\xF0\x9F\x98").find("at byte 0"), std::string::npos) << "cut";
  EXPECT_NE(error_of("a\x80").find("at byte 1"), std::string::npos);
  EXPECT_EQ(error_of("a\0b"s), "");
}

TEST(Utf8, BrokenSequencesBecomeOneReplacementEach) {
  // The values are those of Rust's String::from_utf8_lossy.
  EXPECT_EQ(lossy_utf8("a\xF0\x9F\x98z"), "a\uFFFDz");
  EXPECT_EQ(lossy_utf8("\xF0\x9F\x98\xF0\x9F"), "\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xE0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xC3(\x80\xFF"), "\uFFFD(\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(lossy_utf8("é€😀"), "é€😀");
}

TEST(Utf8, StreamHoldsBackOnlyWhatMayBeCompleted) {
  stamp::text::Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80!"), "😀!");
  EXPECT_EQ(stream.push("\xC3\x28"), "\uFFFD(");
  EXPECT_EQ(stream.push("\xE0\x80"), "\uFFFD\uFFFD") << "can never be completed";
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8, StreamInAnyPiecesGivesTheWholesText) {
  const std::string bytes =
      "é\xED\xA0\x80😀\xF0\x9F\x98\xC3\xC3\x28\xE2\x82\xF4\x90\x80\x80\xFF\xE0\xA0";
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      stamp::text::Utf8Stream stream;
      std::string text = stream.push(bytes.substr(0, first));
      text += stream.push(bytes.substr(first, second - first));
      text += stream.push(bytes.substr(second));
      text += stream.finish();
      ASSERT_EQ(text, lossy_utf8(bytes)) << first << " " << second;
    }
  }
}

}  // namespace
