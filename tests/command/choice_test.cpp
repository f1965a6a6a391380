// SPDX-License-Identifier: Apache-2.0
// Which backend runs on which processor, and what the reader is told.
#include <gtest/gtest.h>

#include "../../examples/stamp/choice.hpp"
#include "run_command.hpp"

namespace stamp::command {
namespace {

using cpu::Isa;

TEST(Choice, TakesTheFastBackendWhereItRuns) {
  const Settings nothing_said;
  for (const auto& [isa, dtype] :
       {std::pair{Isa::avx2, "fp32"}, {Isa::avx512, "bf16"}, {Isa::amx, "bf16"}}) {
    const Choice choice = choose(nothing_said, Prefer::speed, isa);
    EXPECT_EQ(choice.backend, "cpu");
    EXPECT_EQ(choice.dtype, dtype);
    EXPECT_EQ(choice.note, "");
    EXPECT_EQ(choose(nothing_said, Prefer::exactness, isa).dtype, "fp32");
  }
}

TEST(Choice, FallsBackToTheReferenceAndSaysWhy) {
  const Choice choice = choose({}, Prefer::speed, Isa::none);
  EXPECT_EQ(choice.backend, "reference");
  EXPECT_EQ(choice.dtype, "fp32");
  EXPECT_EQ(choice.note, "this processor lacks AVX2 and FMA, so the slow reference backend runs");
  Settings asked;
  asked.backend = "reference";
  EXPECT_EQ(choose(asked, Prefer::speed, Isa::none).note, "") << "that was asked for";
}

TEST(Choice, RefusesATypeThatTheBackendLacks) {
  Settings settings;
  settings.dtype = "int4";
  try {
    (void)choose(settings, Prefer::speed, Isa::avx512);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    EXPECT_STREQ(error.what(),
                 "type not offered: --dtype int4: expected fp32, bf16, int8 on the cpu backend");
  }
}

/// What choose says where it refuses, and its exit code.
std::pair<int, std::string> refusal_of(const Settings& settings, Prefer prefer = Prefer::speed) {
  try {
    (void)choose(settings, prefer, Isa::avx512);
  } catch (const Error& error) {
    return {static_cast<int>(error.fault()), error.what()};
  }
  return {0, ""};
}

TEST(Choice, RefusesAnAttentionKernelWhereThereIsNoneToChoose) {
  for (const char* attention : {"mma", "hopper"}) {
    Settings settings;
    settings.attention = attention;
    for (const char* backend : {"", "cpu", "reference"}) {
      settings.backend = backend;
      const std::string found = backend == std::string("reference") ? "reference" : "cpu";
      EXPECT_EQ(refusal_of(settings),
                std::pair(2, "--attention: expected --backend cuda beside it, found the " + found +
                                 " backend"));
    }
    settings.backend = "cuda";
    const std::pair in_float(
        2, std::string("--attention: expected --dtype bf16, int8 or fp8 beside it, found fp32"));
    EXPECT_EQ(refusal_of(settings, Prefer::exactness), in_float);
    for (const char* dtype : {"", "bf16", "int8", "fp8"}) {
      settings.dtype = dtype;
      EXPECT_EQ(refusal_of(settings).first, 4) << "this build has no CUDA";
    }
    settings.dtype = "fp32";
    EXPECT_EQ(refusal_of(settings), in_float);
  }
}

TEST(Choice, RefusesSamInEightBitsOnCuda) {
  for (const char* dtype : {"int8", "fp8"}) {
    Settings settings;
    settings.dtype = dtype;
    EXPECT_NO_THROW(require_type_of_sam(settings)) << "not on this backend";
    settings.backend = "cuda";
    try {
      require_type_of_sam(settings);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage);
      EXPECT_EQ(error.what(), "type not offered: --dtype " + std::string(dtype) +
                                  ": expected fp32, bf16 for SAM on the cuda backend");
    }
  }
  Settings whole;
  whole.backend = "cuda";
  whole.dtype = "bf16";
  EXPECT_NO_THROW(require_type_of_sam(whole));
}

}  // namespace
}  // namespace stamp::command
