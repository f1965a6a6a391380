// SPDX-License-Identifier: Apache-2.0
// Sharper edges: STAMP answers, SAM refines the masks; the first one is written as a PNG picture.
#include <cstdio>
#include <stamp/checkpoint/atomic_file.hpp>
#include <stamp/cpu.hpp>
#include <stamp/cpu/sam.hpp>
#include <stamp/image/write.hpp>

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: refine CHECKPOINT SAM IMAGE PROMPT MASK.png\n");
    return 2;
  }
  try {
    using stamp::cpu::Backend;
    const stamp::LoadOptions options;
    auto model = stamp::load<Backend>(argv[1], options);
    auto sam = stamp::load_sam<Backend>(argv[2], options.threads, stamp::cpu::Compute::fp32);

    stamp::Conversation<Backend> conversation(model);
    conversation.refine_with(stamp::sam_refiner(sam));  // every mask from now on
    conversation.show(stamp::read_image(argv[3]));
    const auto answer = conversation.ask(argv[4]);
    std::printf("%s\n", answer.text.c_str());
    if (answer.masks.empty() || !answer.masks[0].refined) return 1;
    const stamp::Bitmap& mask = *answer.masks[0].refined;
    stamp::checkpoint::write_file_atomically(argv[5], stamp::encode_png(mask));
    std::printf("%s: %td x %td pixels\n", argv[5], mask.width, mask.height);
    return 0;
  } catch (const stamp::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
