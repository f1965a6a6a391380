// SPDX-License-Identifier: Apache-2.0
// The library in ten lines: load a checkpoint, ask about a picture, use the masks.
#include <cstdio>
#include <stamp/cpu.hpp>
#include <stamp/stamp.hpp>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: segment CHECKPOINT IMAGE PROMPT\n");
    return 2;
  }
  try {
    auto model = stamp::load<stamp::cpu::Backend>(argv[1]);
    const auto answer = stamp::segment(model, stamp::read_image(argv[2]), argv[3]);
    std::printf("%s\n", answer.text.c_str());
    for (const auto& mask : answer.masks) {
      std::printf("mask %td: %td pixels, score %.2f, grid %td x %td\n", mask.index, mask.area,
                  mask.score, mask.rows, mask.columns);
    }
    return 0;
  } catch (const stamp::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
