// SPDX-License-Identifier: Apache-2.0
// Rows 40 to 59, 63 and 64 of docs/bad-input.md, through the command: prompts, pictures,
// places to write to, and options.
#include <stamp/image/crc32.hpp>

#include "broken_model.hpp"

namespace command {
namespace {

using namespace std::string_literals;

/// A file that claims to be a picture.
Row picture(int number, std::string name, std::string bytes, Words says) {
  const auto words = [bytes = std::move(bytes)](const Site& s) {
    return segment(s.write("picture.png", bytes), "the mug", s.model, s.out);
  };
  return {number, std::move(name), "tied", words, 3, std::move(says)};
}
/// A path in place of a picture.
Row path(std::string name, std::function<fs::path(const Site&)> make, Words says) {
  const auto words = [make = std::move(make)](const Site& s) {
    return segment(make(s), "the mug", s.model, s.out);
  };
  return {58, std::move(name), "tied", words, 3, std::move(says)};
}
Row prompt(int number, std::string name, std::string text, Words says) {
  const auto words = [text = std::move(text)](const Site& s) {
    return segment(tall, text, s.model, s.out);
  };
  return {number, std::move(name), "tied", words, 3, std::move(says)};
}
/// More options, wrong ones.
Row option(int number, std::string name, Words more, int status, Words says) {
  const auto words = [more = std::move(more)](const Site& s) {
    return segment(tall, "the mug", s.model, s.out, more);
  };
  return {number, std::move(name), "tied", words, status, std::move(says)};
}

/// A command line that is refused before any of its files is opened.
Row usage(std::string name, Words words, Words says) {
  const auto typed = [words = std::move(words)](const Site&) { return words; };
  return {64, std::move(name), "tied", typed, 2, std::move(says)};
}
/// A path that is empty.
Row empty_path(std::string name, Words words, const std::string& option) {
  return usage("empty_" + std::move(name), std::move(words),
               {option + ": expected a path, found an empty one"});
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}
/// A PNG that has said no more than how large it is.
std::string png_of(std::uint32_t width, std::uint32_t height) {
  const std::string header =
      "IHDR" + big_endian(width) + big_endian(height) + "\x08\x00\x00\x00\x00"s;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(header.data());
  return "\x89PNG\r\n\x1A\n" + big_endian(13) + header +
         big_endian(stamp::detail::crc32({bytes, header.size()})) + big_endian(4) + "IDAT" +
         std::string(8, 'x');
}
/// A JPEG of 65535 x 65535 pixels with the tables and the scan of a small one.
std::string jpeg_of_largest_size() {
  std::string bytes = files::read(goldens / "images/jpeg_420.jpg");
  bytes.replace(bytes.find("\xFF\xC0") + 5, 4, "\xFF\xFF\xFF\xFF");
  return bytes;
}
/// The last scan of a progressive JPEG a thousand times.
std::string jpeg_of_many_scans() {
  const std::string bytes = files::read(goldens / "images/jpeg_progressive.jpg");
  const std::size_t scan = bytes.rfind("\xFF\xDA");
  std::string many = bytes.substr(0, scan);
  for (int count = 0; count < 1000; ++count) many += bytes.substr(scan, bytes.size() - 2 - scan);
  return many + "\xFF\xD9";
}
std::string damaged(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  return bytes;
}
std::string half(const std::string& bytes) { return bytes.substr(0, bytes.size() / 2); }

std::vector<Row> rows() {
  const std::string png = files::read(tall);
  const std::string jpeg = files::read(goldens / "images/jpeg_420.jpg");
  return {
      prompt(40, "prompt_continuation", "ab\xC3\x28", {"prompt is not UTF-8 at byte 2"}),
      prompt(40, "prompt_overlong", "\xC0\xAF", {"prompt is not UTF-8 at byte 0"}),
      prompt(40, "prompt_surrogate", "x\xED\xA0\x80", {"prompt is not UTF-8 at byte 1"}),
      prompt(41, "prompt_empty", "", {"prompt empty"}),
      {40,
       "prompt_before_the_model",
       "tied",
       [](const Site& s) { return segment(tall, "\xC0\xAF", "none", s.out); },
       3,
       {"prompt is not UTF-8 at byte 0"}},
      {41,
       "prompt_empty_before_the_model",
       "tied",
       [](const Site& s) { return segment(tall, "", "none", s.out); },
       3,
       {"prompt empty"}},
      option(43, "image_grown_too_far", {"--min-pixels", "4000000"}, 3,
             {"tokens, limit 4096", "for the image: try a smaller --min-pixels"}),
      {43,
       "image_too_large",
       "tied",
       [](const Site& s) {
         return segment(s.write("large.pgm", "P5 2000 2000 255\n" + std::string(4'000'000, 'x')),
                        "the mug", s.model, s.out, {"--max-pixels", "4000000"});
       },
       3,
       {"tokens, limit 4096", "for the image: try a smaller --max-pixels"}},
      option(64, "min_pixels_beyond_all", {"--min-pixels", "4294967296"}, 2,
             {"more than 2^26 pixels: try a smaller --min-pixels"}),
      prompt(43, "prompt_long", std::string(100'000, 'x'), {"prompt gives", "tokens, limit 4096"}),
      option(40, "response_not_utf8", {"--response", "\xC3\x28"}, 3,
             {"response is not UTF-8 at byte 0"}),
      option(40, "system_not_utf8", {"--system", "\xC3\x28"}, 3, {"not UTF-8 at byte 0"}),
      picture(46, "image_empty", "", {"picture.png", "not a supported image"}),
      picture(47, "image_is_text", "hello, this is text",
              {"not a supported image", "magic", "use JPEG, PNG, BMP or PNM"}),
      picture(48, "png_of_4_bytes", png.substr(0, 4), {"picture.png", "truncated PNG", "found 4"}),
      picture(48, "jpeg_of_2_bytes", jpeg.substr(0, 2), {"truncated JPEG", "found 2"}),
      picture(48, "jpeg_truncated", half(jpeg), {"picture.png", "truncated"}),
      picture(48, "png_truncated", half(png), {"picture.png", "truncated"}),
      picture(49, "png_crc", damaged(png, png.find("IDAT") + 100), {"CRC"}),
      picture(50, "png_of_0x0", png_of(0, 0), {"zero size"}),
      picture(50, "pgm_of_0x0", "P5 0 0 255\n", {"zero size"}),
      picture(52, "jpeg_65535", jpeg_of_largest_size(), {"65535 x 65535", "over limit 64M"}),
      picture(53, "png_bomb", png_of(50'000, 50'000),
              {"50000 x 50000 = 2500000000 pixels over limit 64M"}),
      picture(54, "png_1x100000", png_of(1, 100'000), {"aspect ratio 100000.0 over 200"}),
      picture(54, "png_52800x44", png_of(52'800, 44), {"aspect ratio 1200.0 over 200"}),
      picture(54, "pgm_1x20000", "P5 1 20000 255\n" + std::string(20'000, 'x'),
              {"aspect ratio 20000.0 over 200"}),
      picture(55, "jpeg_scans", jpeg_of_many_scans(), {"too many scans"}),
      picture(57, "gif", "GIF89a" + std::string(64, '\0'), {"GIF", "not supported"}),
      picture(57, "webp", "RIFF\x40\x00\x00\x00WEBPVP8 "s + std::string(64, '\0'),
              {"WebP", "not supported"}),
      picture(57, "heic", "\x00\x00\x00\x18"s + "ftypheic" + std::string(64, '\0'),
              {"HEIC", "not supported"}),
      picture(57, "svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>",
              {"SVG", "not supported"}),
      path("image_missing", [](const Site& s) { return s.folder / "none.png"; }, {"none.png"}),
      path("image_not_utf8", [](const Site& s) { return s.folder / "a\xFF.png"; }, {"a\\xff.png"}),
      path("image_directory", [](const Site& s) { return s.model; }, {"not a regular file"}),
      path("image_fifo",
           [](const Site& s) {
             const fs::path fifo = s.folder / "fifo.png";
             ::mkfifo(fifo.c_str(), 0644);
             return fifo;
           },
           {"fifo.png", "not a regular file"}),
      path("image_dev_zero", [](const Site&) { return fs::path("/dev/zero"); },
           {"/dev/zero", "not a regular file"}),
      path("image_loop",
           [](const Site& s) {
             fs::create_symlink("loop.png", s.folder / "loop.png");
             return s.folder / "loop.png";
           },
           {"loop.png", "not a regular file"}),
      path("image_with_line_break", [](const Site& s) { return s.folder / "a\nb.png"; }, {"b.png"}),
      {59,
       "out_in_proc",
       "tied",
       [](const Site& s) { return segment(tall, "the mug", s.model, "/proc/stamp-out"); },
       4,
       {"output folder", "/proc/stamp-out"}},
      {59,
       "out_in_sys",
       "tied",
       [](const Site& s) { return segment(tall, "the mug", s.model, "/sys"); },
       4,
       {"/sys"}},
      {59,
       "out_is_a_file",
       "tied",
       [](const Site& s) { return segment(tall, "the mug", s.model, s.write("file", "")); },
       2,
       {"output folder", "expected a folder, found a file"}},
      {59,
       "out_below_a_file",
       "tied",
       [](const Site& s) { return segment(tall, "the mug", s.model, s.write("file", "") / "out"); },
       4,
       {"output folder"}},
      {59,
       "out_with_line_break",
       "tied",
       [](const Site& s) { return segment(tall, "the mug", s.model, s.folder / "a\nb"); },
       2,
       {"output folder", "line break"}},
      {59,
       "out_replaces_the_input",
       "tied",
       [](const Site& s) {
         fs::copy(tall, s.out / "overlay.png");
         return segment(s.out / "overlay.png", "the mug", s.model, s.out);
       },
       2,
       {"overlay.png", "is an input"}},
      {59,
       "activations_without_folder",
       "tied",
       [](const Site& s) {
         return segment(tall, "the mug", s.model, s.out,
                        {"--activations", s.folder / "none/run.safetensors"});
       },
       4,
       {"run.safetensors", "its folder does not exist"}},
      {59,
       "activations_replace_the_input",
       "tied",
       [](const Site& s) {
         fs::copy(tall, s.folder / "copy.png");
         return segment(s.folder / "copy.png", "the mug", s.model, s.out,
                        {"--activations", s.folder / "copy.png"});
       },
       2,
       {"output file", "is an input"}},
      option(64, "threads_negative", {"--threads=-1"}, 2, {"--threads"}),
      option(64, "max_pixels_text", {"--max-pixels", "abc"}, 2,
             {"--max-pixels", "abc", "4294967296"}),
      option(64, "max_pixels_negative", {"--max-pixels=-5"}, 2, {"--max-pixels", "-5"}),
      option(64, "pixels_crossed", {"--min-pixels", "5000", "--max-pixels", "4000"}, 2,
             {"--min-pixels", "4000", "5000"}),
      {64,
       "pixels_crossed_before_the_model",
       "tied",
       [](const Site& s) {
         return segment(tall, "x", "none", s.out, {"--min-pixels", "5000", "--max-pixels", "4000"});
       },
       2,
       {"--min-pixels: expected at most --max-pixels 4000, found 5000"}},
      option(64, "threshold_nan", {"--threshold", "nan"}, 2, {"--threshold", "nan"}),
      option(64, "temperature_nan", {"--temperature", "nan"}, 2, {"--temperature", "nan"}),
      option(64, "top_p_over_1", {"--top-p", "1.5"}, 2, {"--top-p", "1.5"}),
      option(64, "seed_negative", {"--seed=-1"}, 2, {"--seed", "-1"}),
      option(64, "backend_unknown", {"--backend", "tpu"}, 2,
             {"--backend: expected reference, cpu or cuda, found tpu (did you mean cpu?)"}),
      option(64, "backend_cuda", {"--backend", "cuda"}, 4, {"--backend cuda", "expected"}),
      option(64, "dtype_not_offered", {"--backend", "reference", "--dtype", "int8"}, 2,
             {"--dtype int8", "fp32"}),
      option(64, "dtype_not_offered_cpu", {"--backend", "cpu", "--dtype", "fp64"}, 2,
             {"--dtype fp64", "fp32"}),
      option(64, "fp8_not_offered_cpu", {"--backend", "cpu", "--dtype", "fp8"}, 2,
             {"type not offered: --dtype fp8: expected fp32, bf16, int8 on the cpu backend"}),
      option(64, "fp8_not_offered_reference", {"--backend", "reference", "--dtype", "fp8"}, 2,
             {"type not offered: --dtype fp8: expected fp32, bf16, fp64 on the reference backend"}),
      option(
          64, "fp64_not_offered_cuda", {"--backend", "cuda", "--dtype", "fp64"}, 2,
          {"type not offered: --dtype fp64: expected fp32, bf16, int8, fp8 on the cuda backend"}),
      option(64, "fp8_without_device", {"--backend", "cuda", "--dtype", "fp8"}, 4,
             {"--backend cuda", "expected"}),
      option(64, "attention_unknown", {"--attention", "flash"}, 2,
             {"--attention: expected mma or hopper, found flash"}),
      option(64, "attention_of_another_backend", {"--backend", "cpu", "--attention", "mma"}, 2,
             {"--attention: expected --backend cuda beside it, found the cpu backend"}),
      option(64, "attention_in_fp32",
             {"--backend", "cuda", "--dtype", "fp32", "--attention", "hopper"}, 2,
             {"--attention: expected --dtype bf16, int8 or fp8 beside it, found fp32"}),
      option(64, "attention_without_device", {"--backend", "cuda", "--attention", "hopper"}, 4,
             {"--backend cuda", "expected"}),
      option(64, "dtype_unknown", {"--dtype", "fp4"}, 2,
             {"--dtype: expected fp32, bf16, int8, fp8 or fp64, found fp4 (did you mean fp8?)"}),
      option(64, "unknown_flag", {"--treshold", "1"}, 2,
             {"--treshold: no such option", "did you mean --threshold?"}),
      option(64, "device", {"--device", "cuda:7"}, 2, {"--device: no such option"}),
      option(64, "refine", {"--refine", "sam.pth"}, 3, {"sam.pth", "no such file"}),
      option(64, "given_twice", {"--seed", "1", "--seed", "2"}, 2,
             {"--seed: expected once, found 2 times"}),
      option(64, "no_value", {"--seed"}, 2, {"--seed: expected a value, found none"}),
      option(64, "nearest_value", {"--upsample", "biliner"}, 2,
             {"expected bilinear or nearest, found biliner (did you mean bilinear?)"}),
      option(64, "text_for_a_number", {"--top-k", "many"}, 2,
             {"--top-k: expected 0 to 16777216, found many"}),
      usage("no_model_of_sam", {"sam", "a.png", "--point", "1,2"},
            {"--model: expected SAM checkpoint, a .safetensors or .pth file, found none"}),
      usage(
          "no_quotes", {"segment", "a.png", "the", "red", "mug"},
          {"segment: expected IMAGE and PROMPT (quote one of several words), found also red mug"}),
      usage("no_arguments_expected", {"parity", "--activations", "a", "b", "c"},
            {"parity: expected options alone, found also b c"}),
      usage("short_option_unknown", {"segment", "a.png", "x", "-x"}, {"usage: -x: no such option"}),
      usage("value_for_a_flag", {"segment", "a.png", "x", "--quiet=very"},
            {"--quiet: expected no value, found one"}),
      usage("no_command_but_an_option", {"-q"},
            {"command: expected segment, sam", "found an option first"}),
      usage("option_before_the_command", {"--quiet", "segment", "a.png", "x"},
            {"--quiet: expected behind the command"}),
      usage(
          "no_such_command", {"xyz"},
          {"xyz: no such command: expected segment, sam, chat, parity, info, tokenize or convert"}),
      empty_path("image", {"segment", "", "x"}, "IMAGE"),
      empty_path("model", {"segment", "a.png", "x", "--model", ""}, "--model"),
      empty_path("model_given_with_a_sign", {"segment", "a.png", "x", "--model="}, "--model"),
      empty_path("model_before_a_word", {"segment", "--model=", "a.png", "x"}, "--model"),
      empty_path("base", {"segment", "a.png", "x", "--base", ""}, "--base"),
      empty_path("refine", {"segment", "a.png", "x", "--refine", ""}, "--refine"),
      empty_path("out", {"segment", "a.png", "x", "--out", ""}, "--out"),
      empty_path("activations", {"segment", "a.png", "x", "--activations", ""}, "--activations"),
      empty_path("points", {"sam", "a.png", "-m", "b", "--points", ""}, "--points"),
      empty_path("mask", {"sam", "a.png", "-m", "b", "--mask", ""}, "--mask"),
      empty_path("sam", {"sam", "a.png", "-m", ""}, "--model"),
      empty_path("chat", {"chat", ""}, "IMAGE"),
      empty_path("json", {"parity", "--activations", "a", "--json", ""}, "--json"),
      empty_path("info", {"info", ""}, "DIR"),
      empty_path("tokenize", {"tokenize", ""}, "DIR"),
      empty_path("convert", {"convert", "a", ""}, "OUT"),
      {64,
       "threads_0",
       "tied",
       [](const Site&) { return Words{"segment", "a", "b", "--threads", "0"}; },
       2,
       {"--threads", "0", "1 to 1024"}},
      {64,
       "threads_many",
       "tied",
       [](const Site&) { return Words{"segment", "a", "b", "--threads", "1000000000"}; },
       2,
       {"--threads", "1000000000", "1 to 1024"}},
      {64,
       "no_subcommand",
       "tied",
       [](const Site&) { return Words{}; },
       2,
       {"command: expected segment, sam"}},
      {64,
       "unknown_subcommand",
       "tied",
       [](const Site&) { return Words{"segmnt"}; },
       2,
       {"segmnt: no such command", "did you mean segment?"}},
      {64,
       "no_prompt",
       "tied",
       [](const Site&) { return Words{"segment", "a.png"}; },
       2,
       {"PROMPT: expected what to ask, found none"}},
      {64,
       "escape_in_flag",
       "tied",
       [](const Site&) { return Words{"segment", "a", "b", "--x\x1B[2J\ny"}; },
       2,
       {"no such option"}},
      {64,
       "base_without_adapter",
       "tied",
       [](const Site& s) { return segment(tall, "x", s.model, s.out, {"--base", s.model}); },
       2,
       {"no adapter", "--base"}},
  };
}

class BadRequest : public testing::TestWithParam<Row> {};
TEST_P(BadRequest, IsRefusedInOneLine) { expect_row(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Rows, BadRequest, testing::ValuesIn(rows()), name_of);

TEST(SmallPicture, IsEnlargedAsThePythonProcessorDoes) {  // row 51
  for (const char* name : {"rgb_1x1.png", "rgb_2x2.png"}) {
    const Site site;
    expect_success(run(segment(goldens / "images" / name, "the mug", site.model, site.out)));
    const json result = json::parse(files::read(site.out / "result.json"));
    EXPECT_EQ(result["image"]["resized_width"], result["image"]["resized_height"]);
    EXPECT_GE(result["image"]["resized_width"], 28);
    EXPECT_EQ(result["masks"][0]["segmentation"]["size"],
              json({result["image"]["height"], result["image"]["width"]}));
  }
}

/// A question through chat, which has no limit on a prompt's length.
Ended ask(const std::string& question, const Words& more = {"--max-new-tokens", "1"}) {
  Words words{"chat", tall, "--model", tied, "--threads", "1", "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return run(words, {.input = question + "\n"});
}

TEST(LongPrompt, OfTenMegabytesIsRefused) {  // row 43
  expect_failure(ask(std::string(10'000'000, 'x')), 3, {"prompt gives", "tokens, limit 4096"});
}
TEST(LongPrompt, OfOneWordTakesLinearTime) {  // row 44: 20 s would not do for a quadratic merge
  std::string word;
  while (word.size() < 1'000'000) word += "abcdefghij";
  expect_failure(ask(word), 3, {"prompt gives", "tokens, limit 4096"});
}
TEST(LongPrompt, OfCombiningMarksTakesLinearTime) {  // row 44
  std::string marks = "a";
  for (int count = 0; count < 50'000; ++count) marks += "\u0301\u0316";
  expect_failure(ask(marks), 3, {"prompt gives", "tokens, limit 4096"});
}
TEST(EmptyPath, IsNoCommandOfChat) {  // row 64
  for (const char* line : {"/image ", "/save "}) {
    const Ended ended = ask(line);
    EXPECT_EQ(ended.status, 2);
    EXPECT_SAYS(ended.err, "expected /image F, /save [DIR]");
  }
}
TEST(OddPrompt, MayHoldNulBytes) {  // row 42
  expect_success(ask("a\0b"s));
}

TEST(Answer, WithoutSegSaysSo) {  // row 63
  const Site site;
  const Ended ended = run(segment(tall, "x", site.model, site.out, {"--response", "No mug."}));
  expect_success(ended);
  EXPECT_EQ(ended.err, "stamp: note: no mask requested by the answer \"No mug.\"\n");
  EXPECT_EQ(json::parse(files::read(site.out / "result.json"))["masks"], json::array());
  EXPECT_FALSE(fs::exists(site.out / "mask-0.png")) << "a mask of an earlier run is left";
}
TEST(Answer, WithFiveHundredSegsIsCapped) {  // row 63
  const Site site;
  std::string response;
  for (int count = 0; count < 500; ++count) response += "<|seg|>";
  const Ended ended = run(segment(tall, "x", site.model, site.out, {"--response", response}));
  expect_success(ended);
  EXPECT_SAYS(ended.err, "asks for 500 masks; the first 64 were made");
  EXPECT_EQ(json::parse(files::read(site.out / "result.json"))["masks"].size(), 64U);
  EXPECT_TRUE(fs::exists(site.out / "mask-63.png"));
  EXPECT_FALSE(fs::exists(site.out / "mask-64.png"));
}
TEST(Answer, ThatNeverEndsIsCutAndSaysSo) {  // row 63
  const Site site;
  const Ended ended = run(segment(tall, "x", site.model, site.out, {"--max-new-tokens", "5"}));
  expect_success(ended);
  EXPECT_SAYS(ended.err, "the answer was cut at 5 tokens (--max-new-tokens)");
  EXPECT_SAYS(run(segment(tall, "x", site.model, site.out, {"--max-new-tokens", "1"})).err,
              "the answer was cut at 1 token (--max-new-tokens)");
  expect_success(run(segment(tall, "x", site.model, site.out, {"--max-new-tokens", "5"})));
  EXPECT_EQ(json::parse(files::read(site.out / "result.json"))["output_ids"].size(), 5U);
}

}  // namespace
}  // namespace command
