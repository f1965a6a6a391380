// SPDX-License-Identifier: Apache-2.0
// Walks a kernel's body over its grid on the host, block after block: what the device would do, in
// one order of the many it may take.
#pragma once

#include <cstring>
#include <stamp/cuda/block.cuh>
#include <vector>

namespace stamp::test {

/// body(block) for every block of a grid; shared memory is filled with NaN before each, registers
/// too, so that what is read before it is written shows.
template <class Registers, class Body>
void walk(int threads, Index grid_x, Index grid_y, Index grid_z, std::vector<float>& shared,
          const Body& body) {
  std::vector<Registers> registers(static_cast<std::size_t>(threads));
  for (Index z = 0; z < grid_z; ++z) {
    for (Index y = 0; y < grid_y; ++y) {
      for (Index x = 0; x < grid_x; ++x) {
        std::memset(static_cast<void*>(registers.data()), 0xff,
                    registers.size() * sizeof(Registers));
        std::memset(shared.data(), 0xff, shared.size() * sizeof(float));
        cuda::HostBlock<Registers> block(registers.data(), threads, x, y, z);
        body(block);
      }
    }
  }
}

template <class Registers, class Body>
void walk(int threads, Index blocks, const Body& body) {
  std::vector<float> none;
  walk<Registers>(threads, blocks, 1, 1, none, body);
}

}  // namespace stamp::test
