// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr as a shell may leave them: closed, full, or a pipe that nobody reads.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stamp/tensor/check.hpp>
#include <string>

namespace stamp::command {

/// To be called first: a stream that is closed becomes /dev/null, so that no file of ours is opened
/// under its number, and what cannot be written becomes an error code in place of a signal.
inline void prepare_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    // The lowest free number is this one, for those below are open by now.
    if (::fcntl(stream, F_GETFD) < 0) (void)!::open("/dev/null", O_RDWR);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

/// The exit code for a result that did not reach stdout because of `cause`, an errno. A reader who
/// has seen enough, as in `| head`, is no error; anything else throws Error{resource}.
inline int ended_output(int cause) {
  if (cause == EPIPE) return 0;
  fail(Fault::resource, std::string("standard output: cannot be written, ") + std::strerror(cause));
}

/// Writes out what stdout still holds; `status` if all of it got there.
inline int flush_output(int status) {
  // Reading stdin writes out stdout, too, and keeps silent when that fails: hence ferror.
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  return failed ? ended_output(errno == 0 ? EIO : errno) : status;
}

}  // namespace stamp::command
