// SPDX-License-Identifier: Apache-2.0
// The same bits on a hundred runs, with one to three objects a pass, on every engine and in every
// type, and on CUDA the same bits of an object whatever is asked about the others; stamp::cuda
// without a GPU is in cuda/replay/host_goldens_test.cpp and objects_apart_test.cpp.
#include <gtest/gtest.h>

#include <cuda_goldens.hpp>
#include <parity/cpu_types.hpp>
#include <parity/objects_apart.hpp>
#include <parity/repeated.hpp>
#include <stamp/reference.hpp>

namespace stamp::test {
namespace {

constexpr int runs = 100;

template <class B>
class RepeatedOnReference : public testing::Test {};
using References = testing::Types<reference::Engine<float>, reference::Engine<double>,
                                  reference::Engine<bfloat16>>;
TYPED_TEST_SUITE(RepeatedOnReference, References);

TYPED_TEST(RepeatedOnReference, GivesTheSameBits) { expect_the_same_bits<TypeParam>(runs); }

class RepeatedOnCpu : public testing::TestWithParam<cpu::Compute> {};

TEST_P(RepeatedOnCpu, GivesTheSameBits) {
  if (const auto reason = why_not_on_cpu(GetParam()); !reason.empty()) GTEST_SKIP() << reason;
  expect_the_same_bits<cpu::Backend>(runs, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Types, RepeatedOnCpu,
                         testing::Values(cpu::Compute::fp32, cpu::Compute::bf16,
                                         cpu::Compute::int8),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST(RepeatedOnCudaInFp32, GivesTheSameBits) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_float([]<class B>() { expect_the_same_bits<B>(runs); });
}

class RepeatedOnCuda : public testing::TestWithParam<const char*> {};

TEST_P(RepeatedOnCuda, GivesTheSameBits) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_weights(GetParam(),
                  []<class B>(auto weights) { expect_the_same_bits<B>(runs, weights); });
}
INSTANTIATE_TEST_SUITE_P(Types, RepeatedOnCuda, testing::Values("bf16", "int8", "fp8"),
                         [](const auto& tested) { return std::string(tested.param); });

/// 130 cells an object, at the sizes of the shipped model.
constexpr qwen2_vl::PatchGrid many_cells{1, 20, 26};

TEST(RepeatedOnCudaInFp32, ObjectsOfOnePassDoNotSeeEachOther) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_float([]<class B>() {
    B engine;
    expect_objects_apart(engine, shipped_size_config(), many_cells);
  });
}
TEST_P(RepeatedOnCuda, ObjectsOfOnePassDoNotSeeEachOther) {
  if (const auto reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  on_cuda_weights(GetParam(), []<class B>(auto weights) {
    B engine(1, weights);
    expect_objects_apart(engine, shipped_size_config(), many_cells);
  });
}

}  // namespace
}  // namespace stamp::test
