// SPDX-License-Identifier: Apache-2.0
// The goldens on cuda::Engine as it stands, over a device of host memory: what a machine without a
// GPU can tell of its bfloat16 and of its weights in 8 bits.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <parity/drafted.hpp>
#include <parity/repeated.hpp>
#include <stamp/cuda.hpp>

namespace stamp::test {
namespace {

using Engine = cuda::Engine<bfloat16>;

TEST(HostGoldens, CudaInBf16IsNoFartherThanPyTorchInBf16) { expect_no_farther<Engine>(1.1); }

TEST(HostGoldens, CudaInInt8IsNoFartherThanTwicePyTorchInBf16) {
  expect_no_farther<Engine>(2, cuda::Weights::int8);
}
TEST(HostGoldens, CudaInFp8IsNoFartherThanFiveTimesPyTorchInBf16) {
  expect_no_farther<Engine>(5, cuda::Weights::fp8);
}

/// Up to two and up to four rows a pass; one is what they are compared with. In bfloat16, whose
/// attention runs on fibers, a word takes 16 ms.
const Answers in_float{.words = 48, .drafts = {1, 3}};
const Answers in_bfloat16{.words = 10, .drafts = {1, 3}};

TEST(HostGoldens, CudaInFp32SaysTheSameWithDrafts) {
  expect_drafts_change_no_word<cuda::Engine<float>>(in_float);
}
TEST(HostGoldens, CudaInBf16SaysTheSameWithDrafts) {
  expect_drafts_change_no_word<Engine>(in_bfloat16);
}
TEST(HostGoldens, CudaInInt8SaysTheSameWithDrafts) {
  expect_drafts_change_no_word<Engine>(in_bfloat16, cuda::Weights::int8);
}
TEST(HostGoldens, CudaInFp8SaysTheSameWithDrafts) {
  expect_drafts_change_no_word<Engine>(in_bfloat16, cuda::Weights::fp8);
}

TEST(HostGoldens, CudaInFp32SamplesTheSame) {
  expect_sampling_among_kept_changes_no_word<cuda::Engine<float>>({.words = 16}, usual_samplings());
}
TEST(HostGoldens, CudaInBf16SamplesTheSame) {
  expect_sampling_among_kept_changes_no_word<Engine>({.words = 4},
                                                     {usual_samplings()[1], usual_samplings()[3]});
}

/// Each has masks and words that are launched one by one, recorded, and replayed.
constexpr int runs = 2;

TEST(HostGoldens, CudaInFp32GivesTheSameBits) {
  expect_the_same_bits<cuda::Engine<float>>(10 * runs);
}
TEST(HostGoldens, CudaInBf16GivesTheSameBits) { expect_the_same_bits<Engine>(runs); }
TEST(HostGoldens, CudaInInt8GivesTheSameBits) {
  expect_the_same_bits<Engine>(runs, cuda::Weights::int8);
}
TEST(HostGoldens, CudaInFp8GivesTheSameBits) {
  expect_the_same_bits<Engine>(runs, cuda::Weights::fp8);
}

}  // namespace
}  // namespace stamp::test
