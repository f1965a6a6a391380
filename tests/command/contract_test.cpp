// SPDX-License-Identifier: Apache-2.0
// docs/command.md, through the command: what segment leaves, what goes to stdout, what each option
// changes, and what a run must not change.
#include <cmath>
#include <set>
#include <stamp/cpu/memory.hpp>
#include <stamp/image/read.hpp>

#include "broken_model.hpp"

namespace command {
namespace {

const Words two_masks{"--response", "It is <|seg|> and <|seg|>."};

/// The pixels of COCO's compressed run lengths, written from maskApi.c's description and not from
/// our own decoder: column by column, runs of 0 and 1.
std::vector<bool> decoded(const std::string& counts, std::size_t height, std::size_t width) {
  std::vector<long> runs;
  for (std::size_t at = 0; at < counts.size();) {
    long value = 0;
    int shift = 0;
    int code = 0;
    do {
      code = counts[at++] - 48;
      value |= static_cast<long>(code & 31) << shift;
      shift += 5;
    } while ((code & 32) != 0);
    if ((code & 16) != 0) value -= 1L << shift;
    runs.push_back(runs.size() > 2 ? value + runs[runs.size() - 2] : value);
  }
  std::vector<bool> columns;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    columns.insert(columns.end(), static_cast<std::size_t>(runs[run]), run % 2 == 1);
  }
  columns.resize(height * width);
  std::vector<bool> rows(height * width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) rows[y * width + x] = columns[x * height + y];
  }
  return rows;
}

/// Area and [x, y, width, height] of a mask.
std::pair<long, json> measured(const std::vector<bool>& mask, std::size_t width) {
  long area = 0;
  std::size_t left = width, top = mask.size(), right = 0, bottom = 0;
  for (std::size_t at = 0; at < mask.size(); ++at) {
    if (!mask[at]) continue;
    ++area;
    left = std::min(left, at % width);
    right = std::max(right, at % width + 1);
    top = std::min(top, at / width);
    bottom = std::max(bottom, at / width + 1);
  }
  if (area == 0) return {0, {0, 0, 0, 0}};
  return {area, {left, top, right - left, bottom - top}};
}

json result_of(const Site& site) { return json::parse(files::read(site.out / "result.json")); }

/// Runs segment with `more` and gives the bytes of logits.safetensors and of mask-0.png.
std::map<std::string, std::string> answered(const Words& more, const fs::path& image = tall,
                                            const std::string& prompt = "the mug") {
  const Site site;
  expect_success(run(segment(image, prompt, site.model, site.out, more)));
  auto found = contents(site.out);
  found.erase("result.json");  // tells times
  return found;
}

TEST(Help, NamesAnExampleForEverySubcommand) {
  for (const char* name : {"segment", "sam", "chat", "parity", "info", "tokenize", "convert"}) {
    const Ended help = run({name, "--help"});
    expect_success(help);
    EXPECT_SAYS(help.out, "Example: ");
    EXPECT_SAYS(help.out, std::string("stamp ") + name);
    const Ended version = run({name, "--version"});
    expect_success(version);
    EXPECT_TRUE(version.out.starts_with("stamp 0.")) << version.out;
  }
  expect_success(run({"--help"}));
  expect_success(run({"--version"}));
}

TEST(Help, TellsTheDefaultTypeOfEachCommand) {
  const auto says = [](const char* command, const std::string& text) {
    std::string help = run({command, "--help"}).out;
    std::string words;  // however the lines are broken
    for (const char letter : help) {
      const bool space = letter == ' ' || letter == '\n';
      if (!space || !words.ends_with(' ')) words += space ? ' ' : letter;
    }
    EXPECT_SAYS(words, text);
  };
  for (const char* command : {"segment", "sam", "chat", "parity"}) {
    says(command, "int8 on cpu and cuda, fp8 on cuda, fp64 on reference");
    says(command, "-q,--quiet");
  }
  says("segment", "else fp32; with --activations fp32)");
  says("chat", "(default: bf16 on cuda and where the processor multiplies it, else fp32)");
  says("sam", "(default: fp32; on cuda fp32 and bf16 alone)");
  says("parity", "(default: fp32)");
  says("sam", "SAM checkpoint, a .safetensors or .pth file");
}

TEST(Help, NamesNoOptionThatTheDocumentationLeavesOut) {
  const std::string documentation = files::read(STAMP_SOURCE_DIR "/docs/command.md");
  const auto in_name = [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); };
  std::set<std::string> named;
  for (const char* command : {"segment", "sam", "chat", "parity", "info", "tokenize", "convert"}) {
    const std::string help = run({command, "--help"}).out;
    for (std::size_t at = help.find("--"); at != std::string::npos; at = help.find("--", at)) {
      const std::size_t begin = at;
      while (at < help.size() && in_name(help[at])) ++at;
      named.insert(help.substr(begin, at - begin));
    }
  }
  EXPECT_GT(named.size(), 40U);
  for (const char* always : {"--help", "--version"}) named.erase(always);
  for (const std::string& option : named) {
    std::size_t at = documentation.find(option);
    while (at != std::string::npos && in_name(documentation[at + option.size()])) {
      at = documentation.find(option, at + 1);
    }
    EXPECT_NE(at, std::string::npos) << option;
  }
}

TEST(Help, OffersAttentionKernelsForLanguageModelsAlone) {
  for (const char* command : {"segment", "chat", "parity"}) {
    EXPECT_SAYS(run({command, "--help"}).out, "--attention");
  }
  EXPECT_EQ(run({"sam", "--help"}).out.find("--attention"), std::string::npos);
}

class Results : public testing::TestWithParam<const char*> {};

TEST_P(Results, AreWholeAndAgreeWithEachOther) {
  const Site site;
  const fs::path image = goldens / "images-parity" / GetParam();
  expect_success(run(segment(image, "the mug", site.model, site.out, two_masks)));
  const json result = result_of(site);
  EXPECT_EQ(result["version"], 1);
  EXPECT_EQ(result["image"]["path"], image.string());
  EXPECT_EQ(result["image"]["orientation"], 1);
  EXPECT_EQ(result["prompt"], "the mug");
  EXPECT_EQ(result["text"], "It is <|seg|> and <|seg|>.");
  EXPECT_EQ(result["backend"], "cpu");
  EXPECT_EQ(result["dtype"], stamp::cpu::name_of(stamp::cpu::best_compute(stamp::cpu::best_isa())));
  EXPECT_EQ(result["model"]["path"], site.model.string());
  EXPECT_GT(result["model"]["parameters"], 80'000);
  for (const char* stage : {"load", "image", "vision", "prefill", "decode", "mask", "refine",
                            "total", "tokens_per_second"}) {
    EXPECT_TRUE(result["timings"][stage].is_number()) << stage;
    EXPECT_GE(result["timings"][stage], 0) << stage;
  }

  const stamp::Image picture = stamp::read_image(image, {});
  EXPECT_EQ(result["image"]["width"], picture.width);
  EXPECT_EQ(result["image"]["height"], picture.height);
  const long rows = result["image"]["grid"][1];
  const long columns = result["image"]["grid"][2];
  EXPECT_EQ(result["image"]["grid"][0], 1);
  EXPECT_EQ(result["image"]["resized_height"], 14 * rows);
  EXPECT_EQ(result["image"]["resized_width"], 14 * columns);

  json ids = result["input_ids"];
  const json pads = json(std::vector<int>(static_cast<std::size_t>(rows * columns / 4), 312));
  EXPECT_EQ(std::count(ids.begin(), ids.end(), json(312)), static_cast<long>(pads.size()));
  for (const json& id : result["output_ids"]) ids.push_back(id);
  EXPECT_EQ(ids.back(), 302) << "the answer ends with <|im_end|>";
  const Ended decoded_ids = run({"tokenize", site.model, "--decode"}, {.input = ids.dump() + "\n"});
  EXPECT_SAYS(decoded_ids.out, "It is <|seg|> and <|seg|>.<|im_end|>");

  Tensors logits(site.out / "logits.safetensors");
  std::map<std::string, std::string> expected{
      {"result.json", ""}, {"overlay.png", ""}, {"logits.safetensors", ""}};
  ASSERT_EQ(result["masks"].size(), 2U);
  for (std::size_t index = 0; index < 2; ++index) {
    const json& mask = result["masks"][index];
    const std::string file = "mask-" + std::to_string(index) + ".png";
    expected[file] = "";
    EXPECT_EQ(mask["index"], index);
    EXPECT_EQ(mask["file"], file);
    EXPECT_TRUE(mask["label"].is_null() || mask["label"].is_string());
    EXPECT_TRUE(mask["refined_file"].is_null());
    EXPECT_EQ(ids[mask["token_index"].get<std::size_t>()], 314) << "not a <|seg|>";
    EXPECT_EQ(mask["grid"], json({rows / 2, columns / 2}));
    EXPECT_GE(mask["score"], 0.0);
    EXPECT_LE(mask["score"], 1.0);

    EXPECT_EQ(mask["segmentation"]["size"], json({picture.height, picture.width}));
    const auto width = static_cast<std::size_t>(picture.width);
    const auto pixels =
        decoded(mask["segmentation"]["counts"], static_cast<std::size_t>(picture.height), width);
    const auto [area, box] = measured(pixels, width);
    EXPECT_EQ(mask["area"], area);
    EXPECT_EQ(mask["bbox"], box);
    const stamp::Image drawn = stamp::read_image(site.out / file, {});
    ASSERT_EQ(drawn.width, picture.width);
    ASSERT_EQ(drawn.height, picture.height);
    std::size_t different = 0;
    for (std::size_t at = 0; at < pixels.size(); ++at) {
      different += drawn.pixels[3 * at] == (pixels[at] ? 255 : 0) ? 0 : 1;
    }
    EXPECT_EQ(different, 0U) << file << " is not its run lengths";

    const json entry = json(logits.header["mask." + std::to_string(index) + ".logits"]);
    EXPECT_EQ(entry["dtype"], "F32");
    EXPECT_EQ(entry["shape"], mask["grid"]);
  }
  EXPECT_LT(result["masks"][0]["token_index"], result["masks"][1]["token_index"]);
  auto found = contents(site.out);
  for (auto& [name, bytes] : found) bytes.clear();
  EXPECT_EQ(found, expected);
  const stamp::Image overlay = stamp::read_image(site.out / "overlay.png", {});
  EXPECT_EQ(overlay.width, picture.width);
  EXPECT_EQ(overlay.height, picture.height);
}
INSTANTIATE_TEST_SUITE_P(Images, Results, testing::Values("tall.png", "wide.png", "square.png"),
                         [](const auto& test) { return fs::path(test.param).stem().string(); });

TEST(Stdout, HoldsTheAnswerOrOnlyJson) {
  const Site site;
  EXPECT_EQ(run(segment(tall, "x", site.model, site.out, {"--response", "Yes."})).out, "Yes.\n");
  const Ended printed =
      run(segment(tall, "x", site.model, site.out, {"--response", "<|seg|>", "--json"}));
  EXPECT_EQ(printed.out, files::read(site.out / "result.json") + "\n");
  EXPECT_TRUE(json::accept(printed.out));
}

TEST(Stderr, TellsProgressUnlessQuiet) {
  const Site site;
  Words words = segment(tall, "x", site.model, site.out);
  EXPECT_EQ(run(words).err, "");
  std::erase(words, "--quiet");
  words.emplace_back("-q");
  EXPECT_EQ(run(words).err, "");
  words.pop_back();
  const std::string told = run(words).err;
  for (const char* part : {"load ", "vision ", "prefill ", "mask ", "backend  cpu, "}) {
    EXPECT_SAYS(told, part);
  }
  EXPECT_EQ(told.find('\x1b'), std::string::npos) << "a bar where there is no terminal";
  words.insert(words.end(), {"--explain"});
  EXPECT_SAYS(run(words).err, "to try   ");
}

TEST(Prompt, WithSpecialTokensIsTextUnlessAllowed) {  // row 45
  const Site site;
  const auto asked = [&](const std::string& prompt, const Words& more) {
    Words words{"--response", "It is <|seg|>"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = run(segment(tall, prompt, site.model, site.out, words));
    expect_success(ended);
    return result_of(site);
  };
  const json plain = asked("the mug", {});
  for (const char* token :
       {"<|seg|>", "<|mask|>", "<|image_pad|>", "<|im_end|>", "<|vision_start|>"}) {
    const json typed = asked(std::string("the ") + token + " mug", {});
    EXPECT_EQ(typed["masks"].size(), 1U) << token;
    EXPECT_EQ(typed["image"], plain["image"]) << token;
    const auto count = [](const json& ids, int id) {
      return std::count(ids.begin(), ids.end(), json(id));
    };
    for (int id = 300; id <= 317; ++id) {
      EXPECT_EQ(count(typed["input_ids"], id), count(plain["input_ids"], id)) << token;
    }
  }
  const json allowed = asked("one like <|seg|> here", {"--allow-special"});
  EXPECT_EQ(allowed["masks"].size(), 2U);
  EXPECT_LT(allowed["masks"][0]["token_index"], allowed["input_ids"].size());
  expect_failure(run(segment(tall, "<|image_pad|>", site.model, site.out, {"--allow-special"})), 3,
                 {"<|image_pad|>"});
}

TEST(Options, ChangeWhatTheySay) {
  const auto usual = answered(two_masks);
  const auto with = [](const Words& more) {
    Words words = two_masks;
    words.insert(words.end(), more.begin(), more.end());
    return answered(words);
  };
  EXPECT_NE(with({"--mask-positions", "grid"})["logits.safetensors"],
            usual.at("logits.safetensors"));
  for (const Words& more : {Words{"--upsample", "nearest"}, Words{"--threshold", "0.1"}}) {
    const auto changed = with(more);
    EXPECT_EQ(changed.at("logits.safetensors"), usual.at("logits.safetensors")) << more[0];
    EXPECT_NE(changed.at("mask-0.png"), usual.at("mask-0.png")) << more[0];
  }
  EXPECT_NE(with({"--resize", "torch-u8"})["logits.safetensors"], usual.at("logits.safetensors"));
  EXPECT_NE(with({"--system", "Be brief."})["logits.safetensors"], usual.at("logits.safetensors"));
  EXPECT_NE(with({"--dtype", "fp64"})["logits.safetensors"], usual.at("logits.safetensors"));
  const Site site;
  Words words = segment(tall, "the mug", site.model, site.out, two_masks);
  *(std::find(words.begin(), words.end(), "--threads") + 1) = "3";
  expect_success(run(words));
  auto found = contents(site.out);
  found.erase("result.json");
  EXPECT_EQ(found, usual) << "the number of threads changes nothing";
}

TEST(Options, MoreThreadsThanCoresAreSaidToBeInVain) {
  const Site site;
  Words words = segment(tall, "the mug", site.model, site.out, two_masks);
  std::erase(words, "--quiet");
  const auto cores = std::thread::hardware_concurrency();
  for (const unsigned threads : {cores, cores + 1}) {
    *(std::find(words.begin(), words.end(), "--threads") + 1) = std::to_string(threads);
    const auto done = run(words);
    expect_success(done);
    EXPECT_EQ(threads > cores, done.err.find(std::to_string(threads) + " threads on " +
                                             std::to_string(cores) + " cores") != std::string::npos)
        << done.err;
  }
}

TEST(Options, TurnPhotosOrNot) {
  const Site site;
  const fs::path photo = goldens / "images/exif_6.jpg";
  expect_success(run(segment(photo, "x", site.model, site.out)));
  const json turned = result_of(site);
  expect_success(run(
      segment(photo, "x", site.model, site.out, {"--response", "<|seg|>", "--exif", "ignore"})));
  const json stored = result_of(site);
  EXPECT_EQ(turned["image"]["width"], stored["image"]["height"]);
  EXPECT_EQ(turned["image"]["height"], stored["image"]["width"]);
  EXPECT_EQ(turned["image"]["orientation"], 6);
}

TEST(Runs, AreDeterministic) {
  EXPECT_EQ(answered(two_masks), answered(two_masks));
  const auto sampled = [](const char* seed) {
    const Site site;
    const Ended ended = run(segment(tall, "x", site.model, site.out,
                                    {"--temperature", "1.5", "--top-k", "0", "--top-p", "1",
                                     "--max-new-tokens", "20", "--seed", seed}));
    EXPECT_EQ(ended.status, 0) << ended.err;
    return ended.out;
  };
  EXPECT_EQ(sampled("7"), sampled("7"));
  EXPECT_NE(sampled("7"), sampled("8"));
}

TEST(Options, LikelyAnswersAreGuessesAndChangeNone) {
  const auto said = [](const Words& more) {
    const Site site;
    Words words{"--max-new-tokens", "12"};
    words.insert(words.end(), more.begin(), more.end());
    expect_success(run(segment(tall, "the mug", site.model, site.out, words)));
    const json result = result_of(site);
    return std::pair(result.at("text").get<std::string>(), result.at("output_ids"));
  };
  const auto expected = said({"--draft", "0"});
  EXPECT_EQ(expected.second.size(), 12U);
  EXPECT_EQ(said({"--draft", "3", "--likely", "No.", "--likely", expected.first}), expected);
  EXPECT_EQ(said({"--draft", "3", "--likely", expected.first.substr(0, 9) + "<|seg|>"}), expected);
  // Since guesses change nothing, what cannot be one tells that they get through.
  const Site site;
  expect_failure(run(segment(tall, "the mug", site.model, site.out, {"--likely", "a\xC3("})), 3,
                 {"likely answer is not UTF-8 at byte 1"});
}

TEST(Results, OfAnEarlierRunWithMoreMasksAreRemoved) {
  const Site site;
  expect_success(run(segment(tall, "x", site.model, site.out, two_masks)));
  EXPECT_TRUE(fs::exists(site.out / "mask-1.png"));
  for (const char* name : {"mask-7.png", "mask-9-refined.png"}) {  // behind a gap
    files::write(site.out / name, "earlier");
  }
  const Words mine{"notes.txt", "mask-a.png", "mask-1.jpg", "my-mask-1.png", "mask-01.png"};
  for (const std::string& name : mine) files::write(site.out / name, "mine");
  fs::create_directory(site.out / "mask-2.png");
  expect_success(run(segment(tall, "x", site.model, site.out)));
  for (const char* name : {"mask-1.png", "mask-7.png", "mask-9-refined.png"}) {
    EXPECT_FALSE(fs::exists(site.out / name)) << name;
  }
  for (const std::string& name : mine) EXPECT_EQ(files::read(site.out / name), "mine");
  EXPECT_TRUE(fs::is_directory(site.out / "mask-2.png")) << "no file of ours";
}

TEST(Results, NameAPathThatIsNotUtf8) {
  const Site site;
  const fs::path image = site.folder / "tall-\xFF.png";
  fs::copy(tall, image);
  expect_success(run(segment(image, "x", site.model, site.out)));
  EXPECT_SAYS(result_of(site)["image"]["path"].get<std::string>(), "tall-\xEF\xBF\xBD.png");
}

TEST(Info, TellsOfFoldersFilesAndAdapters) {
  const Ended plain = run({"info", tied});
  expect_success(plain);
  EXPECT_SAYS(plain.out, "hidden_size            32");
  const auto report = [](const Words& words) {
    const Ended ended = run(words);
    expect_success(ended);
    return json::parse(ended.out);
  };
  const json folder = report({"info", tied, "--json"});
  EXPECT_EQ(folder["adapter"], false);
  EXPECT_EQ(folder["missing_or_misshapen"], json::array());
  EXPECT_EQ(folder["unused"], json::array());
  EXPECT_EQ(folder["warnings"], json::array());
  EXPECT_EQ(folder["types"]["F32"]["bytes"], 355'396);
  EXPECT_EQ(folder["parameters"], 355'396 / 4);
  EXPECT_EQ(folder["config"]["text"]["num_hidden_layers"], 3);
  EXPECT_EQ(report({"info", goldens / "models/lora", "--json"})["adapter"], true);
  EXPECT_EQ(report({"info", tied / "model.safetensors", "--json"})["tensors"].size(), 71U);
  EXPECT_EQ(report({"info", goldens / "models/sharded-bf16", "--json"})["types"].size(), 1U);

  const Site site;
  site.edit_tensors([](Tensors& tensors) {
    tensors.set("model.norm.weight", 5, std::nanf(""));
    for (std::size_t at = 0; at < 24; ++at) tensors.set("visual.blocks.0.norm1.weight", at, 0);
  });
  const json warnings = report({"info", site.model, "--json"})["warnings"];
  EXPECT_EQ(warnings, json({"model.norm.weight has 1 non-finite values, first at index 5",
                            "visual.blocks.0.norm1.weight: all 24 values are zero"}));
  expect_failure(run({"info", tall}), 3, {"tall.png: this is a PNG picture; expected a file of"});
  expect_failure(run({"info", goldens / "images/jpeg_420.jpg"}), 3, {"this is a JPEG picture"});
  expect_failure(run({"info", site.model / "config.json"}), 3, {"config.json: this is JSON;"});
  fs::remove(site.model / "config.json");
  expect_failure(run({"info", site.model}), 3, {"config.json", "no such file"});
}

TEST(Tokenize, GoesThereAndBack) {
  const json texts{"the red mug",      "",        "snow снег ☃ \U0001F600",
                   "a\nb\t\"quoted\"", "<|seg|>", "e\u0301 \u0000"};
  std::string lines;
  for (const json& text : texts) lines += text.dump() + "\n";
  for (const Words& special : {Words{}, Words{"--allow-special"}}) {
    Words words{"tokenize", tied};
    words.insert(words.end(), special.begin(), special.end());
    const Ended ids = run(words, {.input = lines});
    expect_success(ids);
    EXPECT_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), static_cast<long>(texts.size()));
    const bool one = ids.out.find("[314]") != std::string::npos;
    EXPECT_EQ(one, !special.empty()) << ids.out;
    const Ended back = run({"tokenize", tied, "--decode"}, {.input = ids.out});
    expect_success(back);
    EXPECT_SAYS(back.out, "\"the red mug\"\n\"\"\n");
    EXPECT_SAYS(back.out, "снег ☃");
    EXPECT_SAYS(back.out, "\"<|seg|>\"\n");
  }
  const Words encode{"tokenize", tied};
  expect_failure(run(encode, {.input = "7\n"}), 3, {"line 1", "JSON string"});
  expect_failure(run(encode, {.input = "\"open\n"}), 3, {"line 1", "JSON error"});
  expect_failure(run({"tokenize", tied, "--decode"}, {.input = "[99999]\n"}), 3,
                 {"line 1", "99999", "expected 0 to 317"});
  expect_failure(run({"tokenize", tied, "--decode"}, {.input = "[-1]\n"}), 3, {"-1"});
}

}  // namespace
}  // namespace command
