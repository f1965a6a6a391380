// SPDX-License-Identifier: Apache-2.0
// For programs, not libraries: when a mapped file is truncated under us, end with a sentence that
// names the file in place of a bare SIGBUS.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <stamp/checkpoint/memory_map.hpp>

namespace stamp::checkpoint {

/// From now on a truncated weight file ends the process with one line on stderr and status 4.
void report_map_faults();

}  // namespace stamp::checkpoint
