// SPDX-License-Identifier: Apache-2.0
// The `stamp` command as a person runs it: arguments, stdin, limits; exit code, stdout, stderr.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "unit/checkpoint_files.hpp"

namespace command {

namespace fs = std::filesystem;
using files::TemporaryFolder;
using nlohmann::json;
using Words = std::vector<std::string>;

const fs::path goldens = STAMP_SOURCE_DIR "/tests/goldens";
const fs::path tied = goldens / "models/tied";
const fs::path tall = goldens / "images-parity/tall.png";
const fs::path wide = goldens / "images-parity/wide.png";

#ifdef __SANITIZE_ADDRESS__
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

/// How the command is started.
struct Surroundings {
  std::string input{};                    ///< stdin
  std::optional<std::string> out_path{};  ///< stdout goes there instead; "" closes it
  std::optional<std::string> err_path{};  ///< the same for stderr
  std::map<std::string, std::string> variables{};
  std::map<int, rlim_t> limits{};  ///< setrlimit
  double seconds = 60;             ///< then it is killed
};

/// How it ended.
struct Ended {
  int status = -1;  ///< exit code
  int signal = 0;   ///< that killed it, else 0
  bool in_time = true;
  std::string out{};
  std::string err{};
};

inline Ended run(const Words& words, const Surroundings& surroundings = {}) {
  const TemporaryFolder folder;
  const std::string in = files::write(folder / "in", surroundings.input);
  const std::string out = surroundings.out_path.value_or(folder / "out");
  const std::string err = surroundings.err_path.value_or(folder / "err");
  std::vector<char*> arguments;
  std::string program = STAMP_COMMAND;
  arguments.push_back(program.data());
  Words kept = words;
  for (std::string& word : kept) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const pid_t child = ::fork();
  if (child == 0) {
    const auto connect = [](const std::string& path, int stream) {
      ::close(stream);
      if (path.empty()) return;
      const int flags = stream == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
      const int opened = ::open(path.c_str(), flags, 0644);
      if (opened != stream) {
        ::dup2(opened, stream);
        ::close(opened);
      }
    };
    connect(in, 0);
    connect(out, 1);
    connect(err, 2);
    for (const auto& [name, value] : surroundings.variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    for (const auto& [resource, most] : surroundings.limits) {
      const rlimit limit{most, most};
      ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
    }
    ::execv(program.c_str(), arguments.data());
    ::_exit(126);
  }
  Ended ended;
  int status = 0;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(static_cast<long>(1000 * surroundings.seconds));
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      ended.in_time = false;
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (!surroundings.out_path) ended.out = files::read(out);
  if (!surroundings.err_path) ended.err = files::read(err);
  return ended;
}

/// It did what was asked; says what it said where it did not.
inline void expect_success(const Ended& ended) {
  EXPECT_TRUE(ended.in_time) << "ran past its time limit";
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.status, 0) << ended.err;
}

/// It ended with exit code `status` and ONE line on stderr, "stamp: …", with these fragments.
inline void expect_failure(const Ended& ended, int status, const Words& fragments) {
  EXPECT_TRUE(ended.in_time) << "ran past its time limit";
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.status, status) << ended.err;
  EXPECT_TRUE(ended.err.starts_with("stamp: ")) << ended.err;
  EXPECT_EQ(ended.err.find('\n') + 1, ended.err.size()) << "not one line: " << ended.err;
  EXPECT_EQ(ended.out, "");
  for (const std::string& fragment : fragments) EXPECT_SAYS(ended.err, fragment);
}

/// The arguments of a quiet, quick run of segment; `more` is added.
inline Words segment(const fs::path& image, const std::string& prompt, const fs::path& model,
                     const fs::path& out, const Words& more = {"--response", "It is <|seg|>"}) {
  Words words{"segment", image, prompt,      "--model", model,
              "--out",   out,   "--threads", "1",       "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Names and contents of all that is below `folder`.
inline std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> found;
  std::error_code ignored;  // a loop of links is no regular file
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    found[entry.path().lexically_relative(folder)] =
        entry.is_regular_file(ignored) ? files::read(entry.path()) : "no regular file";
  }
  return found;
}

}  // namespace command
