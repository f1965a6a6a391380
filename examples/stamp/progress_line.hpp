// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: a bar with time on a terminal, single lines elsewhere, nothing when quiet.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <stamp/observe/progress.hpp>
#include <string>

#include "say.hpp"

namespace stamp::command {

/// Hears Progress and shows it; the last stage ends its line when the next one starts.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ProgressLine(ProgressLine&&) = delete;
  ProgressLine& operator=(ProgressLine&&) = delete;
  ~ProgressLine() { end(); }

  void operator()(const Progress& progress) {
    if (quiet_) return;
    if (!open_ || progress.stage != stage_) {
      end();
      stage_ = progress.stage;
      start_ = std::chrono::steady_clock::now();
      open_ = true;
    }
    last_ = progress;
    if (terminal_) say("\r\x1b[K{}", line());
  }

  /// Ends the line of the current stage.
  void end() {
    if (!open_) return;
    open_ = false;
    if (terminal_) {
      say("\r\x1b[K{}\n", line());
    } else {
      say("{}\n", line());
    }
    std::fflush(stderr);
  }

 private:
  [[nodiscard]] std::string line() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    constexpr Index width = 24;
    std::string units;
    std::string bar;
    if (last_.total > 1) {
      units = fmt::format("{}/{}", last_.done, last_.total);
    } else if (last_.total == 0) {
      units = fmt::format("{} {}", last_.done, last_.done == 1 ? "token" : "tokens");
    }
    if (terminal_) {
      const Index filled = last_.total > 0 ? width * last_.done / last_.total : last_.done % width;
      bar = fmt::format("[{:<{}}] ", std::string(static_cast<std::size_t>(filled), '#'), width);
    }
    return fmt::format("{:<8} {}{:>7.2f} s  {}", name_of(stage_), bar, passed.count(), units);
  }

  bool quiet_;
  bool terminal_;
  bool open_ = false;
  Stage stage_ = Stage::load;
  Progress last_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace stamp::command
