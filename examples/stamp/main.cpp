// SPDX-License-Identifier: Apache-2.0
// The `stamp` command: what is asked for, and how it ends (docs/command.md).
#include <fmt/format.h>
#include <limits>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>
#include <stamp/checkpoint/map_fault.hpp>
#include <system_error>
#include <thread>

#include "allowed_values.hpp"
#include "say.hpp"
#include "settings.hpp"
#include "standard_streams.hpp"
#include "usage_sentence.hpp"

namespace stamp::command {
namespace {

constexpr double largest_number = 1e9;
/// What `choose` prefers for speed.
const std::string fastest_type = "bf16 on cuda and where the processor multiplies it, else fp32";

/// An option or argument that names a file or a folder: the one place where an empty one is
/// refused, which would stand for the current folder, or for nothing.
template <class Path>
CLI::Option* add_path(CLI::App& app, const std::string& names, Path& target,
                      const std::string& text) {
  const auto problem = [](const std::string& path) {
    return path.empty() ? "expected a path, found an empty one" : "";
  };
  return app.add_option(names, target, text)->type_name("PATH")->check(CLI::Validator(problem, ""));
}

void add_model(CLI::App& app, Settings& s) {
  add_path(app, "-m,--model", s.model,
           "checkpoint folder in Hugging Face layout, or a PEFT LoRA adapter folder "
           "(default: the model that ships with the project)");
  add_path(app, "--base", s.base, "base checkpoint of an adapter folder");
}

/// `type` tells the default of --dtype.
void add_engine(CLI::App& app, Settings& s, const std::string& type) {
  app.add_option("--backend", s.backend, "reference, cpu or cuda (default: the fastest built)")
      ->check(one_of({"reference", "cpu", "cuda"}));
  app.add_option("--dtype", s.dtype,
                 "compute type: fp32 and bf16 on every backend, int8 on cpu and cuda, fp8 on cuda, "
                 "fp64 on reference (default: " +
                     type + ")")
      ->check(one_of({"fp32", "bf16", "int8", "fp8", "fp64"}));
  app.add_option("--threads", s.threads, "threads (default: the cores this process may use)")
      ->check(between(1, 1024));
  app.add_flag("-q,--quiet", s.quiet, "no progress on stderr");
}

/// Of language models: SAM's attention has relative positions, which one kernel alone adds.
void add_attention(CLI::App& app, Settings& s) {
  app.add_option("--attention", s.attention,
                 "which attention kernel of --backend cuda, but for fp32: mma, or hopper, which no "
                 "GPU has run yet (default mma)")
      ->check(one_of({"mma", "hopper"}));
}

void add_answer(CLI::App& app, Settings& s, const std::string& type) {
  add_model(app, s);
  add_engine(app, s, type);
  add_attention(app, s);
  app.add_flag("--allow-special", s.allow_special,
               "special tokens typed in the prompt act as control tokens");
  app.add_option("--system", s.system, "system prompt (default: the chat template's)");
  app.add_option("--max-new-tokens", s.max_new_tokens, "longest answer in tokens (default 1024)")
      ->check(between(1, 1 << 20));
  app.add_option("--temperature", s.temperature, "sample at this temperature; 0 is greedy")
      ->check(between(0.0, largest_number));
  app.add_option("--top-p", s.top_p, "sample from the most probable tokens of this total")
      ->check(between(0.0, 1.0));
  app.add_option("--top-k", s.top_k, "sample from the K most probable tokens; 0 is all")
      ->check(between(0, 1 << 24));
  app.add_option("--repetition-penalty", s.repetition_penalty, "1 is none")
      ->check(between(1e-6, largest_number));
  app.add_option("--seed", s.seed, "seed of sampling (default 0)")
      ->check(between(Index{0}, std::numeric_limits<Index>::max()));
  app.add_option("--draft", s.draft,
                 "guessed words that are checked in one pass; the answer stays the same (default: "
                 "3 on the cpu and cuda backends, 0 on the reference)")
      ->check(between(0, 3));
  app.add_option("--likely", s.likely_answers,
                 "an answer that is likely, special tokens included: guessed first where --draft "
                 "guesses; may be given several times");
  app.add_option("--resize", s.resize, "which bicubic: pillow, torch-u8 or torch-f32")
      ->check(one_of({"pillow", "torch-u8", "torch-f32"}));
  app.add_option("--exif", s.exif, "apply: turn photos as people see them; or ignore")
      ->check(one_of({"apply", "ignore"}));
  app.add_option("--upsample", s.upsample, "bilinear (smooth) or nearest (as released)")
      ->check(one_of({"bilinear", "nearest"}));
  app.add_option("--min-pixels", s.min_pixels, "smallest resized area")
      ->check(between(Index{1}, Index{1} << 32));
  app.add_option("--max-pixels", s.max_pixels, "largest resized area")
      ->check(between(Index{1}, Index{1} << 32));
  app.add_option("--mask-positions", s.mask_positions,
                 "rotary positions of the mask tokens: text (as released) or grid")
      ->check(one_of({"text", "grid"}));
  app.add_option("--threshold", s.threshold, "a pixel is foreground where its logit is above")
      ->check(between(-largest_number, largest_number));
}

void add_sam(CLI::App& app, Settings& s) {
  add_path(app, "IMAGE", s.image, "PNG, JPEG, BMP or PNM file")->required();
  add_path(app, "-m,--model", s.model, "SAM checkpoint, a .safetensors or .pth file")->required();
  add_path(app, "-o,--out", s.out, "folder for the results (default stamp-out)");
  app.add_option("--point", s.points,
                 "X,Y in pixels, and ,- where it is background; may be given several times")
      ->allow_extra_args(false);
  add_path(app, "--points", s.points_file,
           "JSON file of points, [[x, y, label], ...] with label 1 or 0");
  app.add_option("--box", s.box, "X0,Y0,X1,Y1 in pixels: upper left and lower right corner");
  add_path(app, "--mask", s.mask, "coarse mask of the image's size: a picture, bright inside");
  app.add_option("--cascade", s.cascade,
                 "refine the coarse mask in N passes, as STAMP does; without points they are drawn")
      ->check(between(1, 100));
  app.add_flag("--several", s.several, "three masks: the whole, a part, a part of that");
  app.add_option("--seed", s.seed, "seed of the points that are drawn (default 0)")
      ->check(between(Index{0}, std::numeric_limits<Index>::max()));
  app.add_option("--exif", s.exif, "apply: turn photos as people see them; or ignore")
      ->check(one_of({"apply", "ignore"}));
  add_path(app, "--activations", s.activations, "write every named tensor to this file");
  app.add_flag("--json", s.json, "result.json on stdout, too, and nothing else there");
  add_engine(app, s, "fp32; on cuda fp32 and bf16 alone");
}

/// A sentence on one line, whatever a file name brought along.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

int run(int argc, char** argv) {
  CLI::App app{"STAMP: ask about a picture, get words and one mask for every <|seg|>", "stamp"};
  app.set_version_flag("--version", std::string("stamp ") + STAMP_VERSION);
  app.require_subcommand(1);
  Settings s;
  int (*chosen)(const Settings&) = nullptr;
  const auto subcommand = [&](const char* name, const char* text, const char* example,
                              int (*function)(const Settings&)) {
    CLI::App* sub = app.add_subcommand(name, text);
    sub->set_version_flag("--version", std::string("stamp ") + STAMP_VERSION);
    sub->footer(std::string("Example: ") + example);
    sub->callback([&chosen, function] { chosen = function; });
    return sub;
  };

  CLI::App* segment =
      subcommand("segment", "Answer a prompt about an image; one mask a <|seg|>",
                 "stamp segment photo.jpg \"the red mug\" --out result", segment_command);
  add_path(*segment, "IMAGE", s.image, "PNG, JPEG, BMP or PNM file")->required();
  segment->add_option("PROMPT", s.prompt, "what to ask")->required();
  add_path(*segment, "-o,--out", s.out, "folder for the results (default stamp-out)");
  add_answer(*segment, s, fastest_type + "; with --activations fp32");
  segment->add_option("--response", s.response, "take this as the answer; generate nothing");
  segment->add_flag("--explain", s.explain, "why this mask, or why none");
  segment->add_flag("--json", s.json, "result.json on stdout, too, and nothing else there");
  add_path(*segment, "--refine", s.refine, "SAM checkpoint for refined masks");
  add_path(*segment, "--activations", s.activations, "write every named tensor to this file");

  CLI::App* sam =
      subcommand("sam", "Masks from points, a box or a coarse mask, with SAM",
                 "stamp sam photo.jpg --model sam.safetensors --point 120,80", sam_command);
  add_sam(*sam, s);

  CLI::App* chat = subcommand("chat", "Several rounds over one image; the cache is kept",
                              "stamp chat photo.jpg", chat_command);
  add_path(*chat, "IMAGE", s.image, "the first image");
  add_path(*chat, "-o,--out", s.out, "folder for the results (default stamp-out)");
  add_answer(*chat, s, fastest_type);

  CLI::App* parity =
      subcommand("parity", "Compare layer by layer with activations that PyTorch exported",
                 "stamp parity --model DIR --activations run.safetensors", parity_command);
  add_model(*parity, s);
  add_engine(*parity, s, "fp32");
  add_attention(*parity, s);
  add_path(*parity, "--activations", s.activations,
           "file of export_activations.py or export_sam_activations.py")
      ->required();
  add_path(*parity, "--image", s.image, "the picture, for a run of SAM");
  parity->add_option("--tolerance", s.tolerance, "relative and absolute tolerance of one layer")
      ->check(between(0.0, largest_number));
  parity->add_option("--only", s.only, "only names that match this pattern (* and ?)");
  add_path(*parity, "--json", s.json_file, "write the rows to this file");

  CLI::App* info =
      subcommand("info", "What a checkpoint folder, a safetensors or a .pth file holds",
                 "stamp info DIR", info_command);
  add_path(*info, "DIR", s.model, "checkpoint folder, safetensors file or PyTorch file");
  add_path(*info, "--base", s.base, "base checkpoint of an adapter folder");
  info->add_flag("--json", s.json, "as JSON");

  CLI::App* tokenize = subcommand("tokenize", "JSON strings on stdin to JSON arrays of ids",
                                  "echo '\"a red mug\"' | stamp tokenize DIR", tokenize_command);
  add_path(*tokenize, "DIR", s.model, "folder with tokenizer.json, or vocab.json and merges.txt");
  tokenize->add_flag("--decode", s.decode, "arrays of ids to strings instead");
  tokenize->add_flag("--allow-special", s.allow_special, "special tokens act as control tokens");

  CLI::App* convert =
      subcommand("convert", "A PyTorch checkpoint to safetensors; nothing in it is executed",
                 "stamp convert sam_vit_b_01ec64.pth sam_vit_b.safetensors", convert_command);
  add_path(*convert, "IN", s.from, "PyTorch (.pth, .pt, .bin) or safetensors file")->required();
  add_path(*convert, "OUT", s.to, "safetensors file to write")->required();
  convert
      ->add_option("--names", s.names,
                   "name a SAM's tensors as segment-anything (official) or as transformers "
                   "(huggingface) does (default: as IN names them)")
      ->check(one_of({"official", "huggingface"}));
  convert->add_flag("-q,--quiet", s.quiet, "no progress on stderr");

  const auto words = words_of(app, argc, argv);
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    say("stamp: wrong usage: {}\n", one_line(usage_sentence(app, error, words)));
    return static_cast<int>(Fault::usage);
  }
  if (s.threads == 0) s.threads = static_cast<Index>(std::thread::hardware_concurrency());
  return chosen(s);
}

}  // namespace
}  // namespace stamp::command

int main(int argc, char** argv) {
  using stamp::command::one_line;
  using stamp::command::say;
  stamp::command::prepare_standard_streams();
  stamp::checkpoint::report_map_faults();
  try {
    try {
      return stamp::command::flush_output(stamp::command::run(argc, argv));
    } catch (const std::filesystem::filesystem_error& error) {  // a path that leads nowhere
      stamp::fail(stamp::Fault::input, error.what());
    } catch (const std::system_error& error) {
      // A thread that cannot be started, or what fmt::print makes of a failed write to stdout.
      const int cause = error.code().value();
      if (cause != EAGAIN) return stamp::command::ended_output(cause);
      stamp::fail(stamp::Fault::resource, "threads: cannot be started, try fewer with --threads");
    }
  } catch (const stamp::Error& error) {
    say("stamp: {}\n", one_line(error.what()));
    return static_cast<int>(error.fault());
  } catch (const std::bad_alloc&) {
    say("stamp: out of memory: this run needs more than is free\n");
    return static_cast<int>(stamp::Fault::resource);
  } catch (const std::exception& error) {
    say("stamp: {}\n", one_line(error.what()));
    return static_cast<int>(stamp::Fault::failure);
  }
}
