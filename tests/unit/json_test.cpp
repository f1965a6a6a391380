// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <stamp/checkpoint/json.hpp>
#include <stamp/checkpoint/json_fields.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using namespace std::string_literals;
using stamp::checkpoint::parse_json;

struct BadText {
  std::string text;
  std::string says;
};

TEST(Json, RefusesWithByteAndReason) {
  const std::string bad_bytes = "[\"\xC3\x28\"]";
  const std::vector<BadText> table{
      {"", "JSON error at byte 0"},
      {"{\"a\": ", "JSON error at byte 6"},
      {"[1,]", "JSON error at byte 3"},
      {"{} x", "JSON error at byte 3"},
      {"{}\0 x"s, "JSON error at byte 2: a NUL byte"},
      {"[NaN]", "JSON error at byte 1"},
      {"{\"lora_alpha\": NaN}", "after key lora_alpha"},
      {"[Infinity]", "JSON error at byte 1"},
      {"[-Infinity]", "JSON error at byte"},
      {"[1e999]", "number overflow"},
      {"[01]", "JSON error"},
      {"[1] // comment", "JSON error at byte 4"},
      {"[\"\\ud800\"]", "surrogate"},
      {"[\"\\udc00\"]", "surrogate"},
      {"[\"\\ud800\\u0041\"]", "surrogate"},
      {"[\"a\nb\"]", "control character"},
      {bad_bytes, "not UTF-8 at byte 2"},
      {"[\"\xED\xA0\x80\"]", "not UTF-8 at byte 2"},
      {"[\"\xC0\x80\"]", "not UTF-8 at byte 2"},
      {"\xEF\xBB\xBF{}", "byte order mark"},
      {R"({"w": 1, "w": 2})", "duplicate key w"},
      {R"({"w": 1, "\u0077": 2})", "duplicate key w"},
      {R"({"a": [{"b": {"x": 1, "y": 2, "x": 3}}]})", "duplicate key x"},
      {std::string(33, '[') + std::string(33, ']'), "nesting deeper than 32"},
      {std::string(1'000'000, '['), "nesting deeper than 32"},
      {"{\"a\":" + std::string(100'000, '['), "nesting deeper than 32"},
  };
  for (const auto& [text, says] : table) {
    const auto sentence =
        files::failure_of([&, &words = text] { (void)parse_json(words, "x.json"); });
    EXPECT_SAYS(sentence, says) << text.substr(0, 60);
    EXPECT_SAYS(sentence, "x.json");
  }
}

TEST(Json, ReadsWhatIsValid) {
  const auto json =
      parse_json(R"({"a": [1, -2, 2.5, "\ud83d\ude00", null, true], "b": {"c": {}}})", "x");
  EXPECT_EQ(json,
            nlohmann::json::parse(R"({"a": [1, -2, 2.5, "😀", null, true], "b": {"c": {}}})"));
  EXPECT_EQ(parse_json(" 7 ", "x"), 7);
  EXPECT_EQ(parse_json(std::string(32, '[') + std::string(32, ']'), "x").size(), 1U);
}

TEST(Json, BoundsBytesAndValues) {
  using stamp::checkpoint::read_json;
  const files::TemporaryFolder folder;
  const auto path = files::write(folder / "config.json", "{}");
  std::filesystem::resize_file(path, std::uintmax_t{2} << 30);  // sparse: 2 GB that cost nothing
  EXPECT_SAYS(files::failure_of([&] { (void)read_json(path); }),
              "config.json: larger than 4 MiB, it has 2147483648 bytes");
  const stamp::checkpoint::JsonLimits few{.values = 3};
  EXPECT_SAYS(files::failure_of([&] { (void)parse_json("[1,2,3]", "x", few); }),
              "more than 3 values");
  EXPECT_EQ(parse_json("[1,2]", "x", few).size(), 2U);
}

TEST(Json, ReadsATokenizersSizeQuickly) {
  std::string text = "{";
  for (int at = 0; at < 400'000; ++at) {
    text += (at == 0 ? "\"token-" : ",\"token-") + std::to_string(at) + "\":" + std::to_string(at);
  }
  text += "}";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text, "x", {.bytes = 64U << 20U}).size(), 400'000U);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 10.0)
      << "0.15 s when measured; this bound only catches quadratic work";
}

TEST(Json, FieldsNameThemselvesAndTheirRule) {
  const auto json = parse_json(
      R"({"r": 0, "big": 18446744073709551615, "half": 2.5, "none": null, "list": [1, "x"], "word": 3})",
      "x");
  const stamp::checkpoint::Fields fields(json, "c.json");
  const auto says = [&](const char* name) {
    return files::failure_of([&] { (void)fields.integer(name, {1, 5}); });
  };
  EXPECT_EQ(says("r"), "c.json: r 0: must be an integer from 1 to 5");
  EXPECT_EQ(says("big"), "c.json: big 18446744073709551615: must be an integer from 1 to 5");
  EXPECT_EQ(says("half"), "c.json: half 2.5: must be an integer from 1 to 5");
  EXPECT_EQ(says("none"), "c.json: none absent: must be an integer from 1 to 5");
  EXPECT_SAYS(files::failure_of([&] { (void)fields.integers("list", {1, 5}); }), "list \"x\"");
  EXPECT_SAYS(files::failure_of([&] { (void)fields.text("word"); }), "word 3: must be a string");
  EXPECT_SAYS(files::failure_of([&] { (void)fields.boolean_or("r", true); }),
              "r 0: must be true or false");
  EXPECT_EQ(fields.integer_or("none", {1, 5}, 4), 4);
}

TEST(Utf8, FindsTheFirstBadByteAndShowsTextOnOneLine) {
  using stamp::checkpoint::first_invalid_utf8;
  using stamp::checkpoint::printable;
  EXPECT_FALSE(first_invalid_utf8("ascii, ä, 語, 😀"));
  EXPECT_EQ(first_invalid_utf8("ab\x80"), 2U);
  EXPECT_EQ(first_invalid_utf8("\xF0\x9F\x98"), 0U);      // cut short
  EXPECT_EQ(first_invalid_utf8("\xF4\x90\x80\x80"), 0U);  // beyond U+10FFFF
  EXPECT_EQ(first_invalid_utf8("\xE0\x80\x80"), 0U);      // overlong
  EXPECT_EQ(printable("a\nb\x1b[0m\xFF"), "a\\x0ab\\x1b[0m\\xff");
  EXPECT_EQ(printable(std::string(300, 'x')).size(), 203U);
}

}  // namespace
