// SPDX-License-Identifier: Apache-2.0
// stamp chat: rounds over one image; the cache is kept between them.
#include <unistd.h>

#include <iostream>

#include "answering.hpp"
#include "inputs.hpp"
#include "session.hpp"
#include "standard_streams.hpp"

namespace stamp::command {
namespace {

/// One conversation at a terminal or over a pipe: a line is a question or a /command.
class Chat {
 public:
  Chat(const Settings& s, const Choice& choice) : settings_(s), progress_(s.quiet) {
    double loading = 0;
    session_ = open_session(s, choice, progress_, loading);
    options_ = options_of(s, choice, session_->sampling());
    options_.progress = std::ref(progress_);
    if (!s.image.empty()) show(s.image);
  }

  int run() {
    const bool terminal = isatty(STDIN_FILENO) == 1;
    std::string line;
    int status = 0;
    for (;;) {
      if (terminal) say("> ");
      if (!std::getline(std::cin, line)) return status;
      if (line.empty()) continue;
      if (line == "/quit") return status;
      try {
        obey(line);
      } catch (const Error& error) {  // a bad line does not end a conversation at a terminal
        if (device_is_lost()) throw;
        say("stamp: {}\n", error.what());
        if (!terminal) status = static_cast<int>(error.fault());
      }
      if (std::fflush(stdout) != 0) return ended_output(errno);
    }
  }

 private:
  void obey(const std::string& line) {
    if (line == "/reset") return reset();
    if (line.starts_with("/image ") && line.size() > 7) return show(line.substr(7));
    if (line == "/save") return save(settings_.out);
    if (line.starts_with("/save ") && line.size() > 6) return save(line.substr(6));
    if (line.starts_with('/')) {
      fail(Fault::usage, "unknown command " + line +
                             ": expected /image F, /save [DIR], /reset or /quit, or a question");
    }
    ask(line);
  }

  /// Forgets what was said; the image stays.
  void reset() {
    session_->reset();
    answer_.reset();
    if (image_) session_->show(*image_, options_);
  }

  void show(const std::filesystem::path& path) {
    image_ = read_image(path, read_options(settings_));
    image_path_ = path.string();
    session_->show(*image_, options_);
    progress_.end();
  }

  void ask(const std::string& prompt) {
    answer_ = session_->ask(prompt, options_);
    prompt_ = prompt;
    progress_.end();
    fmt::print("{}\n", answer_->text);
    for (const Mask& mask : answer_->masks) {
      say("mask {}   {} pixels at {},{} {}x{}, score {:.2f}{}\n", mask.index, mask.area,
          mask.bbox[0], mask.bbox[1], mask.bbox[2], mask.bbox[3], mask.score,
          mask.label ? ", " + *mask.label : "");
    }
  }

  void save(const std::filesystem::path& folder) {
    if (!answer_ || !image_) {
      fail(Fault::usage, "/save: expected an answer about an image, found none yet");
    }
    Inputs inputs = inputs_of_model(settings_);
    inputs.emplace_back(image_path_);
    const MadeFolders made = check_output_folder(folder, inputs);
    write_answer(folder, *answer_, *image_, session_->facts(image_path_, prompt_));
    say("results  {}\n", (folder / overlay_file).string());
  }

  const Settings& settings_;
  ProgressLine progress_;
  std::unique_ptr<Session> session_;
  SegmentOptions options_;
  std::optional<Image> image_;
  std::string image_path_;
  std::optional<Answer> answer_;
  std::string prompt_;
};

}  // namespace

int chat_command(const Settings& s) {
  const Choice choice = choose(s, Prefer::speed);
  check_request(s);
  return Chat(s, choice).run();
}

}  // namespace stamp::command
