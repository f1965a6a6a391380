// SPDX-License-Identifier: Apache-2.0
// The headers alone: layers and models without any backend or library.
#include <cstdio>
#include <stamp/stamp.hpp>

int main() {
  const stamp::HybridMask mask{.history = 3, .masks = 2};
  std::printf("a word sees %td keys, a mask token %td\n", mask.visible(1).history.size(),
              mask.visible(3).history.size());
  return mask.visible(3).history.size() == 5 ? 0 : 1;
}
