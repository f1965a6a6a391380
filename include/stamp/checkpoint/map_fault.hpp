// SPDX-License-Identifier: Apache-2.0
// For programs, not libraries: when a mapped file is truncated under us, end with a sentence that
// names the file in place of a bare SIGBUS.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <stamp/checkpoint/memory_map.hpp>

namespace stamp::checkpoint {

namespace detail {

/// Only calls that POSIX allows inside a handler.
inline void on_bus_error(int number, siginfo_t* info, void*) {
  const auto say = [](const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); };
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const MappedRange& range : mapped_ranges) {
    // The last page of a map reaches past the file's end, hence the rounding.
    const std::uintptr_t begin = range.begin;
    if (begin > 1 && address >= begin && address < range.end + 4096) {
      say("stamp: ");
      say(range.path.data());
      say(": file changed while in use, it became shorter than when it was opened\n");
      ::_exit(static_cast<int>(Fault::resource));
    }
  }
  ::signal(number, SIG_DFL);  // not ours: the fault repeats and ends the program as usual
}

}  // namespace detail

/// From now on a truncated weight file ends the process with one line on stderr and status 4.
inline void report_map_faults() {
  struct sigaction action{};
  action.sa_sigaction = detail::on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace stamp::checkpoint
