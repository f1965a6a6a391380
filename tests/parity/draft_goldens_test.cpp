// SPDX-License-Identifier: Apache-2.0
// Greedy answers to the questions of all goldens are the same words with and without guesses, and
// sampled ones the same as those chosen among all scores on the host, on every engine and in every
// type; stamp::cuda without a GPU is in cuda/replay/host_goldens_test.cpp.
#include <gtest/gtest.h>

#include <cuda_goldens.hpp>
#include <parity/cpu_types.hpp>
#include <parity/drafted.hpp>
#include <stamp/reference.hpp>

namespace stamp::test {
namespace {

TEST(DraftGoldens, ReferenceInFp32SaysTheSame) {
  expect_drafts_change_no_word<reference::Engine<float>>({});
}
TEST(DraftGoldens, ReferenceInBf16SaysTheSame) {
  expect_drafts_change_no_word<reference::Engine<bfloat16>>({});
}

const Answers sampled{.words = 24};

TEST(DraftGoldens, ReferenceSamplesTheSame) {
  expect_sampling_among_kept_changes_no_word<reference::Engine<float>>(sampled, usual_samplings());
  expect_sampling_among_kept_changes_no_word<reference::Engine<bfloat16>>(sampled,
                                                                          usual_samplings());
}

class DraftGoldensOnCpu : public testing::TestWithParam<cpu::Compute> {};

TEST_P(DraftGoldensOnCpu, SaysTheSame) {
  if (const auto reason = why_not_on_cpu(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
  expect_drafts_change_no_word<cpu::Backend>({}, GetParam());
}
TEST_P(DraftGoldensOnCpu, SamplesTheSame) {
  if (const auto reason = why_not_on_cpu(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
  expect_sampling_among_kept_changes_no_word<cpu::Backend>(sampled, usual_samplings(), GetParam());
}
INSTANTIATE_TEST_SUITE_P(Types, DraftGoldensOnCpu,
                         testing::Values(cpu::Compute::fp32, cpu::Compute::bf16,
                                         cpu::Compute::int8),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST(DraftGoldens, CudaSamplesTheSame) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_float(
      []<class B>() { expect_sampling_among_kept_changes_no_word<B>(sampled, usual_samplings()); });
  on_cuda_weights("bf16", []<class B>(auto weights) {
    expect_sampling_among_kept_changes_no_word<B>(sampled, usual_samplings(), weights);
  });
}
TEST(DraftGoldens, CudaInFp32SaysTheSame) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_float([]<class B>() { expect_drafts_change_no_word<B>({}); });
}
TEST(DraftGoldens, CudaInBf16AndEightBitsSaysTheSame) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  for (const char* dtype : {"bf16", "int8", "fp8"}) {
    SCOPED_TRACE(dtype);
    on_cuda_weights(dtype,
                    []<class B>(auto weights) { expect_drafts_change_no_word<B>({}, weights); });
  }
}

}  // namespace
}  // namespace stamp::test
