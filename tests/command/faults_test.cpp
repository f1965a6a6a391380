// SPDX-License-Identifier: Apache-2.0
// docs/bad-input.md, faults, through the command: full disks, memory limits, broken streams,
// locales, and bits that flipped.
#include <random>

#include "broken_model.hpp"

namespace command {
namespace {

TEST(FullDisk, LeavesEarlierResultsAsTheyWere) {
  const Site site;
  expect_success(run(segment(wide, "x", site.model, site.out)));
  const auto before = contents(site.out);
  // The limit is on a file: masks fit some of these, the overlay none; stderr fits them all.
  for (const rlim_t bytes : {rlim_t{250}, rlim_t{1024}, rlim_t{4096}, rlim_t{8192}}) {
    const Words words = segment(wide, "y", site.model, site.out,
                                {"--response", "<|seg|><|seg|>", "--mask-positions", "grid"});
    expect_failure(run(words, {.limits = {{RLIMIT_FSIZE, bytes}}}), 4, {"no space left on"});
    EXPECT_EQ(contents(site.out), before) << bytes << " bytes a file";
  }
}

TEST(Memory, ThatIsShortEndsWithOneLine) {
  if (sanitized) GTEST_SKIP() << "a sanitizer needs its own address space";
  const Site site;
  const auto before = contents(site.out);
  bool refused = false;
  for (rlim_t mebibytes = 8; mebibytes < 200; mebibytes += 3) {
    Words words = segment(wide, "x", site.model, site.out);
    words.insert(words.end(), {"--max-pixels", "1000000", "--min-pixels", "900000"});
    const Ended ended = run(words, {.limits = {{RLIMIT_AS, mebibytes << 20U}}});
    // 126, 127: not even the program and its libraries fit.
    if (ended.status == 126 || ended.status == 127 || ended.signal == SIGKILL) continue;
    if (ended.signal == SIGSEGV && ended.err.empty() && !refused) continue;  // inside the loader
    // Before main, in the tables of a library; nothing of ours can answer for it.
    if (ended.signal == SIGABRT && !refused) continue;
    if (ended.status == 0) break;
    refused = true;
    expect_failure(ended, 4, {});
    EXPECT_EQ(contents(site.out), before) << mebibytes << " MiB";
  }
  EXPECT_TRUE(refused) << "no limit was small enough";
}

TEST(Memory, ThatIsShortForThreadsEndsWithOneLine) {
  if (sanitized) GTEST_SKIP() << "a sanitizer needs its own address space";
  const Site site;
  Words words = segment(tall, "x", site.model, site.out);
  words[static_cast<std::size_t>(std::find(words.begin(), words.end(), "--threads") -
                                 words.begin()) +
        1] = "1000";
  expect_failure(run(words, {.limits = {{RLIMIT_AS, rlim_t{200} << 20U}}}), 4, {"threads"});
}

TEST(Streams, ThatNobodyReadsChangeNothing) {
  const Site site;
  const Words words = segment(tall, "x", site.model, site.out);
  expect_success(run(words));
  auto usual = contents(site.out);
  usual.erase("result.json");
  for (const char* place : {"", "/dev/null"}) {
    expect_success(run(words, {.out_path = place, .err_path = place}));
    auto found = contents(site.out);
    found.erase("result.json");
    EXPECT_EQ(found, usual);
  }
  // stderr that is closed or full does not change how an error ends.
  const Words bad = segment(site.folder / "none.png", "x", site.model, site.out);
  for (const char* place : {"", "/dev/full"}) {
    const Ended ended = run(bad, {.err_path = place});
    EXPECT_EQ(ended.status, 3);
    EXPECT_EQ(ended.signal, 0);
    Words loud = words;
    std::erase(loud, "--quiet");
    expect_success(run(loud, {.err_path = place}));
  }
}

TEST(Streams, ThatAreFullAreReported) {
  expect_failure(run({"tokenize", tied}, {.input = "\"a\"\n", .out_path = "/dev/full"}), 4,
                 {"standard output", "No space left"});
  expect_failure(run({"info", tied}, {.out_path = "/dev/full"}), 4, {"standard output"});
  std::string many;
  for (int line = 0; line < 100'000; ++line) many += "\"a\"\n";
  expect_failure(run({"tokenize", tied}, {.input = many, .out_path = "/dev/full"}), 4,
                 {"standard output"});
}

TEST(Streams, OfAPipeThatIsClosedEndQuietly) {
  const TemporaryFolder folder;
  std::string many;
  for (int line = 0; line < 200'000; ++line) many += "\"the red mug\"\n";
  const std::string in = files::write(folder / "in", many);
  const std::string script = std::string("{ '") + STAMP_COMMAND + "' tokenize '" + tied.string() +
                             "' < '" + in + "' 2> '" + (folder / "err").string() +
                             "'; echo $? > '" + (folder / "status").string() +
                             "'; } | head -n 1 > '" + (folder / "out").string() + "'";
  ASSERT_EQ(std::system(script.c_str()), 0);
  EXPECT_EQ(files::read(folder / "status"), "0\n");
  EXPECT_EQ(files::read(folder / "err"), "");
  EXPECT_EQ(files::read(folder / "out").find('\n') + 1, files::read(folder / "out").size());
}

TEST(Locale, ChangesNoByte) {
  std::map<std::string, std::string> usual;
  for (const char* locale : {"", "C", "de_DE.UTF-8", "tr_TR.UTF-8"}) {
    const Site site;
    const Ended ended =
        run(segment(tall, "snow снег", site.model, site.out),
            {.variables = {{"LC_ALL", locale}, {"LANG", locale}, {"TZ", "Asia/Tokyo"}}});
    expect_success(ended);
    auto found = contents(site.out);
    json result = json::parse(found["result.json"]);
    result.erase("timings");
    result.erase("model");
    found["result.json"] = result.dump();
    if (usual.empty()) usual = found;
    EXPECT_EQ(found, usual) << locale;
  }
}

/// Flips `runs` random bits of `file`, one at a time, and asks about the folder: an answer or exit
/// code 3, never a signal, never long.
void flip_bits(const std::string& file, std::size_t length, const Words& words, int runs,
               const std::string& input = "") {
  const Site site;
  const std::string original = files::read(site.model / file);
  std::mt19937 random(static_cast<unsigned>(std::hash<std::string>{}(file)));
  Words command = words;
  command.push_back(site.model);
  for (int count = 0; count < runs; ++count) {
    const std::size_t bit = random() % (8 * std::min(length, original.size()));
    std::string bytes = original;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    files::write(site.model / file, bytes);
    const Ended ended = run(command, {.input = input, .seconds = 10});
    EXPECT_TRUE(ended.in_time && ended.signal == 0 && (ended.status == 0 || ended.status == 3))
        << file << ", bit " << bit << ": exit code " << ended.status << ", signal " << ended.signal
        << ", " << ended.err;
    if (ended.status == 3 && !ended.err.empty()) expect_failure(ended, 3, {});
    if (testing::Test::HasFailure()) return;
  }
}
TEST(BitFlips, InAHeaderAreRefusedOrHarmless) {
  flip_bits("model.safetensors", 6848, {"info"}, 150);
}
TEST(BitFlips, InAConfigAreRefusedOrHarmless) { flip_bits("config.json", 1450, {"info"}, 150); }
TEST(BitFlips, InATokenizerAreRefusedOrHarmless) {
  flip_bits("tokenizer.json", 11260, {"tokenize"}, 150, "\"the red mug\"\n");
}

}  // namespace
}  // namespace command
