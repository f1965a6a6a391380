// SPDX-License-Identifier: Apache-2.0
// The tokenizer against Hugging Face's; the goldens are reference/pytorch/tokenizer_goldens.py's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stamp/text/tokenizer_file.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using stamp::text::Decoding;
using stamp::text::SpecialTokens;
using stamp::text::TokenId;
using stamp::text::Tokenizer;
using Ids = std::vector<TokenId>;

const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/text";

const Tokenizer& tokenizer() {
  static const Tokenizer loaded = stamp::text::read_tokenizer(goldens / "tokenizer");
  return loaded;
}

std::vector<nlohmann::json> lines(const std::string& name) {
  std::ifstream file(goldens / name);
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

nlohmann::json document(const std::string& name) {
  std::ifstream file(goldens / name);
  return nlohmann::json::parse(file);
}

std::string named(const std::string& text) { return stamp::text::printable(text); }

void expect_corpus(const Tokenizer& subject) {
  const auto rows = lines("corpus.jsonl");
  EXPECT_GE(rows.size(), 2000U);
  std::size_t differ_as_text = 0;
  for (const auto& row : rows) {
    const auto text = row[0].get<std::string>();
    const auto control = row[1].get<Ids>();
    const Ids plain = row[2].is_null() ? control : row[2].get<Ids>();
    differ_as_text += row[2].is_null() ? 0U : 1U;
    EXPECT_EQ(subject.encode(text, SpecialTokens::as_control), control) << named(text);
    EXPECT_EQ(subject.encode(text, SpecialTokens::as_text), plain) << named(text);
  }
  EXPECT_GE(differ_as_text, 200U);
}

TEST(Tokenizer, IdsAreHuggingFaces) { expect_corpus(tokenizer()); }

TEST(BytePair, EarliestPairThenLeftmost) {
  stamp::text::BytePair merges;
  EXPECT_TRUE(merges.add(1, 1, 2));
  EXPECT_TRUE(merges.add(2, 1, 3));
  EXPECT_TRUE(merges.add(0, 1, 4));
  EXPECT_FALSE(merges.add(1, 1, 5)) << "a pair has one merge";
  const auto merged = [&](const Ids& word) {
    Ids ids;
    merges.encode(word, ids);
    return ids;
  };
  EXPECT_EQ(merged({1, 1, 1}), (Ids{3})) << "leftmost first: 2 1, and then 3";
  EXPECT_EQ(merged({0, 1, 1}), (Ids{0, 2})) << "the earlier pair takes the 1 that both want";
  EXPECT_EQ(merged({0, 1, 1, 1}), (Ids{0, 3}));
  EXPECT_EQ(merged({}), Ids{});
}

TEST(Tokenizer, OlderLayoutGivesTheSameIds) {
  expect_corpus(stamp::text::read_tokenizer(goldens / "legacy"));
}

TEST(Tokenizer, DecodingIsTheInverseUpToNormalisation) {
  for (const auto& row : lines("corpus.jsonl")) {
    const auto text = row[0].get<std::string>();
    const Ids ids = tokenizer().encode(text, SpecialTokens::as_text);
    EXPECT_EQ(tokenizer().decode(ids, Decoding::skip_special), stamp::text::nfc(text))
        << named(text);
  }
}

TEST(Tokenizer, DecodedTextIsHuggingFaces) {
  const auto rows = lines("decoded.jsonl");
  EXPECT_GE(rows.size(), 500U);
  for (const auto& row : rows) {
    const auto ids = row[0].get<Ids>();
    EXPECT_EQ(tokenizer().decode(ids, Decoding::keep_special), row[1].get<std::string>()) << row;
    EXPECT_EQ(tokenizer().decode(ids, Decoding::skip_special), row[2].get<std::string>()) << row;
  }
  EXPECT_EQ(tokenizer().decode(Ids{-1, 1'000'000}, Decoding::keep_special), "");
}

TEST(Tokenizer, AddedTokensStripAndJoinAsHuggingFaces) {
  const auto golden = document("added.json");
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) /
                                       ("stamp_added_tokens_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << golden["tokenizer"];
  const Tokenizer added = stamp::text::read_tokenizer(folder);
  std::filesystem::remove_all(folder);
  EXPECT_GE(golden["cases"].size(), 400U);
  for (const auto& row : golden["cases"]) {
    const auto text = row[0].get<std::string>();
    const auto control = row[1].get<Ids>();
    EXPECT_EQ(added.encode(text, SpecialTokens::as_control), control) << named(text);
    EXPECT_EQ(added.encode(text, SpecialTokens::as_text), row[2].get<Ids>()) << named(text);
    EXPECT_EQ(added.decode(control, Decoding::keep_special), row[3].get<std::string>());
  }
}

TEST(Tokenizer, FormCIsHuggingFacesWhoseUnicodeIsOlder) {
  const auto rows = lines("normalised.jsonl");
  EXPECT_GE(rows.size(), 200U);
  for (const auto& row : rows) {
    EXPECT_EQ(stamp::text::nfc(row[0].get<std::string>()), row[1].get<std::string>()) << row;
  }
}

/// Every code point in one text is cut by `pattern` exactly where its class begins and ends.
void expect_class(const std::string& pattern, const nlohmann::json& ranges) {
  std::vector<bool> member(0x110000);
  for (const auto& range : ranges) {
    for (std::size_t at = range[0]; at <= range[1]; ++at) member[at] = true;
  }
  std::string all;
  std::vector<std::size_t> expected;  // byte at which each piece ends
  bool inside = false;
  for (char32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    if (!all.empty() && member[point] != inside) expected.push_back(all.size());
    inside = member[point];
    stamp::text::append_utf8(all, point);
  }
  expected.push_back(all.size());
  std::vector<std::size_t> found;
  std::size_t end = 0;
  stamp::text::Regex(stamp::text::pcre2_pattern(pattern, "test"), "test")
      .split(all, [&](std::string_view piece) { found.push_back(end += piece.size()); });
  EXPECT_EQ(found, expected) << pattern;
}

TEST(Tokenizer, PatternClassesAreOnigurumasForEveryCodePoint) {
  const auto classes = document("code_points.json");
  expect_class("\\p{L}+", classes["letter"]);
  expect_class("[\\p{L}]+", classes["letter"]);
  expect_class("\\P{L}+", classes["letter"]);
  expect_class("\\p{N}+", classes["number"]);
  expect_class("[^\\p{N}]+", classes["number"]);
  expect_class("\\s+", classes["space"]);
  expect_class("[\\s]+", classes["space"]);
  expect_class("\\S+", classes["space"]);
}

TEST(Tokenizer, TypedSpecialTokensAreTextByDefaultEvenWithoutTheirFlag) {
  nlohmann::json root = document("tokenizer/tokenizer.json");
  for (auto& token : root["added_tokens"]) token["special"] = false;
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("stamp_no_flags_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << root;
  const Tokenizer unflagged = stamp::text::read_tokenizer(folder);
  std::filesystem::remove_all(folder);
  const std::string typed = "a <|seg|><|im_end|><|image_pad|>";
  EXPECT_EQ(unflagged.encode(typed, SpecialTokens::as_text),
            tokenizer().encode(typed, SpecialTokens::as_text));
  EXPECT_EQ(unflagged.encode(typed, SpecialTokens::as_control),
            tokenizer().encode(typed, SpecialTokens::as_control));
}

TEST(Tokenizer, SizesAndNames) {
  EXPECT_EQ(tokenizer().vocab_size(), tokenizer().size());
  EXPECT_EQ(tokenizer().require_added("<|seg|>"), tokenizer().token_id("<|seg|>"));
  EXPECT_TRUE(tokenizer().is_special(tokenizer().require_added("<|seg|>")));
  EXPECT_FALSE(tokenizer().is_special(tokenizer().require_added("<tool_call>")));
  EXPECT_EQ(tokenizer().token_id("no such entry"), std::nullopt);
  EXPECT_EQ(tokenizer().bytes(*tokenizer().token_id("\u0120t")), " t");
  EXPECT_NO_THROW(tokenizer().require_rows(tokenizer().vocab_size(), "embed_tokens"));
}

TEST(Tokenizer, PromptThatIsNotUtf8IsRefusedWithItsPlace) {
  try {
    (void)tokenizer().encode("red \xC3\x28", SpecialTokens::as_text, "prompt");
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    EXPECT_NE(std::string(error.what()).find("prompt is not UTF-8 at byte 4"), std::string::npos);
  }
}

/// Best of three, in seconds of the processor: other processes may take the core away at any time.
double seconds(const std::string& text) {
  double best = 1e9;
  for (int trial = 0; trial < 3; ++trial) {
    const std::clock_t start = std::clock();
    (void)tokenizer().encode(text, SpecialTokens::as_text);
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

TEST(Tokenizer, TimeIsNearLinearWhateverTheText) {
  // Eight times the text may take 20 times as long; a quadratic step would take 64 times.
  for (const std::string piece : {"abcdefghijklmnop", "e\u0301", "\u0301\u0323", " ", "\n", "!",
                                  "7", "<|", "<|se", "a \n", "\u1100", "中"}) {
    const double small = seconds(repeated(piece, 1 << 15));
    const double large = seconds(repeated(piece, 1 << 18));
    EXPECT_LT(large, 20 * small + 0.02) << named(piece);
  }
}

TEST(Tokenizer, ManyThreadsMayUseOne) {
  const std::string text = "The red mug isn't <|seg|> on the left, 12 e\u0301 \u4e2d\u6587.";
  const Ids expected = tokenizer().encode(text, SpecialTokens::as_control);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        if (tokenizer().encode(text, SpecialTokens::as_control) != expected) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
