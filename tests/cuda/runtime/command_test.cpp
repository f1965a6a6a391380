// SPDX-License-Identifier: Apache-2.0
// The `stamp` command with --backend cuda, its library as built, over a CUDA runtime of host memory
// whose kernels compute nothing: what it says and how it ends where a kernel fails, and where a
// kernel that was asked for cannot run.
#include <dlfcn.h>

#include <command/run_command.hpp>

namespace command {
namespace {

const Words answer{"--response", "It is <|seg|>", "--backend", "cuda"};

Surroundings with_failing_launch(int launch) {
  return {.variables = {{"STAMP_FAILING_LAUNCH", std::to_string(launch)}}};
}

Words and_also(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Exit codes 98 and 99 are machine_of_command.cpp's: no fault was met, or a call came after it.
TEST(CudaCommand, EndsWithOneLineWhereAKernelFails) {
  for (const char* dtype : {"fp32", "bf16", "int8"}) {
    for (const int launch : {1, 2, 7, 20}) {
      SCOPED_TRACE(std::string(dtype) + ", launch " + std::to_string(launch));
      const TemporaryFolder folder;
      const fs::path out = folder / "out";
      const Ended ended =
          run(segment(tall, "the mug", tied, out, and_also(answer, {"--dtype", dtype})),
              with_failing_launch(launch));
      expect_failure(ended, 4,
                     {"stamp: cuda: kernel fault: an illegal memory access was encountered, "
                      "noticed at "});
      EXPECT_FALSE(fs::exists(out)) << "nothing was answered";
    }
  }
}

TEST(CudaCommand, LeavesEarlierResultsAsTheyWereWhereAKernelFails) {
  const TemporaryFolder folder;
  const fs::path out = folder / "out";
  fs::create_directory(out);
  files::write(out / "result.json", "of an earlier answer");
  const auto before = contents(out);
  expect_failure(run(segment(tall, "the mug", tied, out, answer), with_failing_launch(3)), 4,
                 {"stamp: cuda: kernel fault: "});
  EXPECT_EQ(contents(out), before);
}

TEST(CudaCommand, EndsAConversationWhereAKernelFails) {
  const TemporaryFolder folder;
  Surroundings surroundings = with_failing_launch(1);
  surroundings.input = "the mug\n/reset\nthe other mug\n/save " + (folder / "out").string() + "\n";
  expect_failure(
      run({"chat", tall, "--model", tied, "--threads", "1", "--quiet", "--backend", "cuda"},
          surroundings),
      4, {"stamp: cuda: kernel fault: "});
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(CudaCommand, RefusesTheHopperKernelWhereNoDriverWritesItsMaps) {
  if (::dlopen("libcuda.so.1", RTLD_LAZY) != nullptr) GTEST_SKIP() << "this machine has a driver";
  const TemporaryFolder folder;
  expect_failure(run(segment(tall, "the mug", tied, folder / "out",
                             and_also(answer, {"--attention", "hopper"}))),
                 4,
                 {"stamp: --attention hopper: expected a device of compute capability 9.0, code "
                  "for it and a driver that writes tensor maps, found none"});
}

TEST(CudaCommand, RefusesAttentionKernelsForARunOfSam) {
  expect_failure(run({"parity", "--model", goldens / "sam/model.safetensors", "--activations",
                      goldens / "sam/activations/cascade.safetensors", "--image", wide, "--backend",
                      "cuda", "--dtype", "bf16", "--attention", "mma"}),
                 2, {"--attention: expected a run of a language model, found one of SAM"});
}

}  // namespace
}  // namespace command
