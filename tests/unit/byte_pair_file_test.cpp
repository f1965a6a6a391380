// SPDX-License-Identifier: Apache-2.0
// Broken and hostile tokenizer files (bad-input rows 34 to 39 and their neighbours): each is
// refused with one sentence that names the file, the place, what was expected and what was found.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <stamp/text/chat_template.hpp>
#include <stamp/text/tokenizer_file.hpp>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path goldens = STAMP_SOURCE_DIR "/tests/goldens/text";

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A folder of this process, copied from a golden one and removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& golden)
      : path(fs::path(testing::TempDir()) / ("stamp_tokenizer_" + std::to_string(::getpid()))) {
    fs::remove_all(path);
    fs::copy(goldens / golden, path, fs::copy_options::recursive);
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string error() const {
    try {
      (void)stamp::text::read_tokenizer(path);
    } catch (const stamp::Error& error) {
      EXPECT_EQ(error.fault(), stamp::Fault::input);
      const std::string sentence = error.what();
      EXPECT_EQ(sentence.find('\n'), std::string::npos) << sentence;
      EXPECT_NE(sentence.find(path.string()), std::string::npos) << "names no file: " << sentence;
      EXPECT_LT(sentence.size(), 600U) << sentence;
      return sentence;
    }
    return "(loaded)";
  }

  fs::path path;
};

struct Case {
  std::string name;
  std::function<void(Json& root)> damage;
  std::vector<std::string> expected;  ///< all of these stand in the message
};

void expect_refused(const Case& each) {
  const Folder folder("tokenizer");
  Json root = Json::parse(content(folder.path / "tokenizer.json"));
  each.damage(root);
  folder.write("tokenizer.json", root.dump());
  const std::string sentence = folder.error();
  for (const std::string& words : each.expected) {
    EXPECT_NE(sentence.find(words), std::string::npos) << each.name << ": " << sentence;
  }
}

const std::string first = "\u0120t";  // an entry that the golden has

TEST(TokenizerFile, GoldenLoads) { EXPECT_EQ(Folder("tokenizer").error(), "(loaded)"); }

TEST(TokenizerFile, VocabularyIsChecked) {
  const std::vector<Case> cases = {
      {"id twice", [](Json& r) { r["model"]["vocab"]["!"] = 5; }, {"id 5", "has already"}},
      {"negative id",
       [](Json& r) { r["model"]["vocab"]["!"] = -1; },
       {"\"!\"", "id -1", "0 to 499999"}},
      {"huge id", [](Json& r) { r["model"]["vocab"]["!"] = 500000; }, {"id 500000", "499999"}},
      {"id of 64 bits",
       [](Json& r) { r["model"]["vocab"]["!"] = 18446744073709551615ULL; },
       {"\"!\""}},
      {"wrapping id", [](Json& r) { r["model"]["vocab"]["!"] = 4294967296; }, {"id 4294967296"}},
      {"fraction",
       [](Json& r) { r["model"]["vocab"]["!"] = 1.5; },
       {"\"!\"", "expected an id", "number"}},
      {"text for id",
       [](Json& r) { r["model"]["vocab"]["!"] = "0"; },
       {"expected an id", "a string"}},
      {"hole",
       [](Json& r) { r["model"]["vocab"]["zzzz"] = 4000; },
       {"no entry has id", "every id"}},
      {"empty entry", [](Json& r) { r["model"]["vocab"][""] = 4000; }, {"0 bytes", "1 to 1024"}},
      {"long entry",
       [](Json& r) { r["model"]["vocab"][std::string(1025, 'a')] = 4000; },
       {"1025 bytes", "..."}},
      {"array", [](Json& r) { r["model"]["vocab"] = Json::array(); }, {"vocab", "an array"}},
      {"absent", [](Json& r) { r["model"].erase("vocab"); }, {"vocab", "nothing"}},
      {"too many",
       [](Json& r) {
         for (int id = 0; id <= 500000; ++id) r["model"]["vocab"]["x" + std::to_string(id)] = id;
       },
       {"entries, expected at most 500000"}},
  };
  for (const Case& each : cases) expect_refused(each);
}

TEST(TokenizerFile, MergesAreChecked) {
  const auto append = [](const Json& merge) {
    return [merge](Json& r) { r["model"]["merges"].push_back(merge); };
  };
  const auto number = std::to_string(
      Json::parse(content(goldens / "tokenizer/tokenizer.json"))["model"]["merges"].size());
  const std::vector<Case> cases = {
      {"left unknown", append(Json{"qq", "q"}), {"merge " + number, "\"qq\" is not in it"}},
      {"result unknown", append(Json{"!", first}), {"merge " + number, "is not in it"}},
      {"string form", append("! qq"), {"merge " + number, "is not in it"}},
      {"longer than any",
       append(Json{std::string(600, 'a'), "b"}),
       {"merge " + number, "601 bytes", "longest entry"}},
      {"twice",
       [](Json& r) { r["model"]["merges"].push_back(r["model"]["merges"][0]); },
       {"merge " + number, "is there twice"}},
      {"one entry", append("abc"), {"merge " + number, "one space between", "\"abc\""}},
      {"three entries", append("a b c"), {"merge " + number, "one space between"}},
      {"triple", append(Json{"a", "b", "c"}), {"merge " + number, "expected two entries"}},
      {"numbers", append(Json{1, 2}), {"merge " + number, "expected two entries"}},
      {"object", [](Json& r) { r["model"]["merges"] = Json::object(); }, {"merges", "an object"}},
  };
  for (const Case& each : cases) expect_refused(each);
}

TEST(TokenizerFile, PartsThatWouldTokeniseOtherwiseAreRefusedByName) {
  const auto set = [](const char* pointer, const Json& value) {
    return [pointer, value](Json& r) { r[Json::json_pointer(pointer)] = value; };
  };
  const char* regex = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
  const std::vector<Case> cases = {
      {"model", set("/model/type", "Unigram"), {"model", "\"Unigram\" is not supported", "BPE"}},
      {"no model", [](Json& r) { r.erase("model"); }, {"model", "nothing"}},
      {"fallback", set("/model/byte_fallback", true), {"byte_fallback", "found true"}},
      {"ignore_merges", set("/model/ignore_merges", true), {"ignore_merges"}},
      {"prefix",
       set("/model/continuing_subword_prefix", "##"),
       {"continuing_subword_prefix", "##"}},
      {"suffix", set("/model/end_of_word_suffix", "</w>"), {"end_of_word_suffix"}},
      {"dropout", set("/model/dropout", 0.1), {"dropout"}},
      {"unknown",
       [](Json& r) {
         r["model"]["unk_token"] = "<|endoftext|>";
         Json moved = r["model"]["vocab"]["\u0142"];
         r["model"]["vocab"].erase("\u0142");
         r["model"]["vocab"]["zzzz"] = moved;
         r["model"]["merges"] = Json::array();
       },
       {"unk_token", "has no entry"}},
      {"normaliser",
       set("/normalizer", Json{{"type", "Lowercase"}}),
       {"normalizer", "\"Lowercase\"", "NFC"}},
      {"NFKC", set("/normalizer/type", "NFKC"), {"normalizer", "\"NFKC\""}},
      {"words",
       set("/pre_tokenizer/pretokenizers/0", Json{{"type", "Whitespace"}}),
       {"pre_tokenizer", "\"Whitespace\""}},
      {"no byte level",
       set("/pre_tokenizer/pretokenizers", Json::array()),
       {"pre_tokenizer", "ByteLevel"}},
      {"prefix space",
       set("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
       {"add_prefix_space"}},
      {"inverted", set("/pre_tokenizer/pretokenizers/0/invert", true), {"not inverted"}},
      {"removed",
       set("/pre_tokenizer/pretokenizers/0/behavior", "Removed"),
       {"Isolated", "\"Removed\""}},
      {"string pattern",
       set("/pre_tokenizer/pretokenizers/0/pattern", Json{{"String", " "}}),
       {"kind Regex"}},
      {"open group", set(regex, "(?i:a"), {"pre_tokenizer", "does not compile at byte"}},
      {"word class", set(regex, "\\w+"), {"\"\\w\" at byte 0", "read alike"}},
      {"other property", set(regex, "a\\p{Lu}"), {"\"\\p\" at byte 1"}},
      {"anchor", set(regex, "^a"), {"\"^\""}},
      {"verb", set(regex, "(*LIMIT_MATCH=1)a"), {"\"(*\""}},
      {"recursion", set(regex, "a(?R)?b"), {"\"(?R)\""}},
      {"set algebra", set(regex, "[a&&b]"), {"&&"}},
      {"possessive", set(regex, "a{1,3}+"), {"}+"}},
      {"empty match", set(regex, "a*"), {"can match empty text"}},
      {"long pattern", set(regex, std::string(5000, 'a')), {"5000 bytes", "at most 4096"}},
      {"decoder", set("/decoder", Json{{"type", "Metaspace"}}), {"decoder", "\"Metaspace\""}},
      {"no decoder", set("/decoder", nullptr), {"decoder", "found none"}},
      {"adds tokens",
       set("/post_processor", Json{{"type", "TemplateProcessing"}}),
       {"post_processor", "\"TemplateProcessing\""}},
  };
  for (const Case& each : cases) expect_refused(each);
}

TEST(TokenizerFile, AddedTokensAreChecked) {
  const std::vector<Case> cases = {
      {"id of another",
       [](Json& r) { r["added_tokens"][1]["id"] = 3; },
       {"added_tokens", "<|im_start|>", "id 3"}},
      {"other id than in vocabulary",
       [](Json& r) {
         r["added_tokens"].push_back({{"id", 9}, {"content", "!"}, {"special", true}});
       },
       {"\"!\"", "has id 9, expected 0"}},
      {"twice",
       [](Json& r) { r["added_tokens"].push_back(r["added_tokens"][0]); },
       {"is there twice"}},
      {"no content",
       [](Json& r) { r["added_tokens"][0].erase("content"); },
       {"content", "a string"}},
      {"empty", [](Json& r) { r["added_tokens"][0]["content"] = ""; }, {"0 bytes"}},
      {"flag", [](Json& r) { r["added_tokens"][0]["special"] = 1; }, {"special", "true or false"}},
      {"list", [](Json& r) { r["added_tokens"] = 7; }, {"added_tokens", "an array"}},
  };
  for (const Case& each : cases) expect_refused(each);
}

TEST(TokenizerFile, MissingControlTokenIsNamed) {
  const Folder folder("tokenizer");
  Json root = Json::parse(content(folder.path / "tokenizer.json"));
  for (auto& token : root["added_tokens"]) {
    if (token["content"] == "<|seg|>") token["content"] = "<|other|>";
  }
  folder.write("tokenizer.json", root.dump());
  fs::remove(folder.path / "tokenizer_config.json");
  const auto tokenizer = stamp::text::read_tokenizer(folder.path);
  EXPECT_NO_THROW((void)stamp::text::control_tokens(tokenizer));
  try {
    (void)tokenizer.require_added("<|seg|>");
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    const std::string sentence = error.what();
    EXPECT_NE(sentence.find("tokenizer.json: no added token \"<|seg|>\""), std::string::npos)
        << sentence;
  }
}

TEST(TokenizerFile, MoreIdsThanEmbeddingRowsAreRefused) {
  const auto tokenizer = stamp::text::read_tokenizer(goldens / "tokenizer");
  try {
    tokenizer.require_rows(tokenizer.vocab_size() - 1, "model.embed_tokens.weight");
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    const std::string sentence = error.what();
    for (const char* words : {"tokenizer.json", "model.embed_tokens.weight", "<tool_call>"}) {
      EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
    }
  }
}

TEST(TokenizerFile, TokenizerConfigAddsWhatIsMissingAndMayNotContradict) {
  const Folder folder("tokenizer");
  Json root = Json::parse(content(folder.path / "tokenizer.json"));
  root["added_tokens"].erase(root["added_tokens"].size() - 2);  // <|no|>, which the config has, too
  folder.write("tokenizer.json", root.dump());
  EXPECT_TRUE(
      stamp::text::read_tokenizer(folder.path)
          .is_special(stamp::text::read_tokenizer(goldens / "tokenizer").require_added("<|no|>")));

  Json settings = Json::parse(content(folder.path / "tokenizer_config.json"));
  settings["added_tokens_decoder"]["2"] = Json{{"content", "<|new|>"}, {"special", true}};
  folder.write("tokenizer_config.json", settings.dump());
  EXPECT_NE(folder.error().find("\"<|new|>\" has id 2, which"), std::string::npos)
      << folder.error();
  settings["added_tokens_decoder"] = Json{{"x1", Json::object()}};
  folder.write("tokenizer_config.json", settings.dump());
  EXPECT_NE(folder.error().find("expected an id, found \"x1\""), std::string::npos);
}

TEST(TokenizerFile, OlderLayoutNamesTheLine) {
  const Folder folder("legacy");
  EXPECT_EQ(folder.error(), "(loaded)");
  const std::string merges = content(folder.path / "merges.txt");
  folder.write("merges.txt", "#version: 0.2\nqq q\n" + merges);
  EXPECT_NE(folder.error().find("merges.txt: line 2: \"qq\" + \"q\""), std::string::npos);
  folder.write("merges.txt", "#version: 0.2\r\n\r\nabc\r\n");
  EXPECT_NE(folder.error().find("merges.txt: line 3: expected two entries"), std::string::npos);
  folder.write("merges.txt", "\xFF");
  EXPECT_NE(folder.error().find("not UTF-8 at byte 0"), std::string::npos);
  fs::remove(folder.path / "merges.txt");
  EXPECT_NE(folder.error().find("merges.txt: no such file"), std::string::npos);
}

TEST(TokenizerFile, TokensOfTheOldestLayoutAreSpecialByTheMap) {
  const Folder folder("legacy");
  const auto newer = stamp::text::read_tokenizer(folder.path);
  const Json settings = Json::parse(content(folder.path / "tokenizer_config.json"));
  Json added;
  Json names = Json::array();
  for (const auto& [id, token] : settings["added_tokens_decoder"].items()) {
    added[token["content"].get<std::string>()] = std::stoi(id);
    if (token["special"]) names.push_back(token["content"]);
  }
  fs::remove(folder.path / "tokenizer_config.json");
  folder.write("added_tokens.json", added.dump());
  folder.write("special_tokens_map.json", Json{{"additional_special_tokens", names}}.dump());
  const auto older = stamp::text::read_tokenizer(folder.path);
  for (const auto& token : newer.added_tokens()) {
    EXPECT_EQ(older.require_added(token.content), token.id);
    EXPECT_EQ(older.is_special(token.id), token.special) << token.content;
  }
  added["<|twice|>"] = added["<|seg|>"];
  folder.write("added_tokens.json", added.dump());
  EXPECT_NE(folder.error().find("is there twice"), std::string::npos);
}

TEST(TokenizerFile, FileThatIsNoTokenizerIsRefused) {
  const Folder folder("tokenizer");
  for (const std::string text :
       {"", "{", "[]", "null", "{\"model\":1}", "version https://git-lfs.github.com/spec/v1\n"}) {
    folder.write("tokenizer.json", text);
    EXPECT_NE(folder.error(), "(loaded)") << text;
  }
  fs::remove(folder.path / "tokenizer.json");
  EXPECT_NE(folder.error().find("tokenizer.json: no such file"), std::string::npos);
}

TEST(TokenizerFile, PatternThatExplodesGivesUp) {
  const Folder folder("tokenizer");
  Json root = Json::parse(content(folder.path / "tokenizer.json"));
  root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(?:a+)+[bc]";
  folder.write("tokenizer.json", root.dump());
  const auto tokenizer = stamp::text::read_tokenizer(folder.path);
  try {
    (void)tokenizer.encode(std::string(200, 'a'), stamp::text::SpecialTokens::as_text);
    FAIL() << "no error";
  } catch (const stamp::Error& error) {
    const std::string sentence = error.what();
    EXPECT_NE(sentence.find("gave up at byte 0 of 200"), std::string::npos) << sentence;
  }
}

TEST(TokenizerFile, BitFlipsEndInAnErrorOrATokenizer) {
  const Folder folder("tokenizer");
  fs::remove(folder.path / "tokenizer_config.json");
  const std::string whole = content(folder.path / "tokenizer.json");
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same flips every time
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string flipped = whole;
    const std::size_t at = random() % flipped.size();
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << random() % 8));
    folder.write("tokenizer.json", flipped);
    try {
      const auto tokenizer = stamp::text::read_tokenizer(folder.path);
      (void)tokenizer.encode("The red mug <|seg|>", stamp::text::SpecialTokens::as_control);
    } catch (const stamp::Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
