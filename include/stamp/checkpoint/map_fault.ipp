// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/map_fault.hpp>.
#pragma once

#include <cstring>
#include <stamp/checkpoint/map_fault.hpp>

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

void report_map_faults() {
  struct sigaction action{};
  action.sa_sigaction = detail::on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace stamp::checkpoint
