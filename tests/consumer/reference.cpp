// SPDX-License-Identifier: Apache-2.0
// The reference backend as a stranger includes and links it, alone.
#include <cstdio>
#include <stamp/reference.hpp>

int main(int, char** argv) {
  auto model = stamp::load<stamp::reference::Backend>(argv[1]);
  const auto answer = stamp::segment(model, stamp::read_image(argv[2]), argv[3]);
  std::printf("%s\n", answer.text.c_str());
  return answer.masks.size() == 1 ? 0 : 1;
}
