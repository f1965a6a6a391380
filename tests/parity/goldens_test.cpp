// SPDX-License-Identifier: Apache-2.0
// Every named activation of every golden run, against PyTorch's, on every backend.
#include <gtest/gtest.h>

#include <cuda_goldens.hpp>
#include <stamp/reference.hpp>

#include "cpu_types.hpp"
#include "golden_cases.hpp"
#include "told.hpp"

namespace {

using stamp::test::cases;
using stamp::test::expect_no_farther;
using Case = stamp::test::GoldenCase;

/// The engines that the float goldens run on; each later backend joins here.
template <class B, class... EngineArguments>
void run_case(const Case& golden, stamp::Tolerance tolerance, EngineArguments... arguments) {
  const auto run = stamp::read_exported_run(golden.activations);
  auto model = stamp::load<B>(golden.model, {}, arguments...);
  const auto recording = stamp::replay(model.engine(), model.stamp(), run.input);
  const auto rows = stamp::compare_run(run, recording, model.config(), tolerance);
  ASSERT_GE(rows.size(), 5U) << "a golden with so few activations proves nothing";
  for (const auto& row : rows) {
    EXPECT_TRUE(row.ok) << row.name << " " << stamp::to_string(std::span(row.shape))
                        << ": largest difference " << row.largest_difference << ", " << row.used
                        << " of the tolerance, cosine " << row.cosine;
  }
}

class Goldens : public testing::TestWithParam<Case> {};

TEST_P(Goldens, ReferenceIsPyTorchLayerByLayer) {
  if (GetParam().in_double) {
    // |found - expected| ≤ 1e-9·(1e-3 + |expected|) a layer, and nothing less.
    run_case<stamp::reference::Engine<double>>(GetParam(), {1e-9, 1e-12});
  } else {
    run_case<stamp::reference::Engine<float>>(GetParam(),
                                              stamp::tolerance_of(stamp::ElementType::float32));
  }
}

TEST_P(Goldens, FastCpuInFp32IsPyTorchLayerByLayerWithEveryInstructionSet) {
  if (GetParam().in_double) return;  // it computes in float
  for (const auto isa : {stamp::cpu::Isa::avx2, stamp::cpu::Isa::avx512}) {
    if (isa > stamp::cpu::best_isa()) continue;
    SCOPED_TRACE(stamp::cpu::name_of(isa));
    run_case<stamp::cpu::Backend>(GetParam(), stamp::tolerance_of(stamp::ElementType::float32),
                                  stamp::cpu::Compute::fp32, isa);
  }
}

TEST(GoldensRoughly, FastCpuInBf16IsNoFartherThanPyTorchInBf16) {
  constexpr auto type = stamp::cpu::Compute::bf16;
  if (const auto reason = stamp::test::why_not_on_cpu(type); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  expect_no_farther<stamp::cpu::Backend>(1.1, type);
}

TEST(GoldensRoughly, FastCpuInInt8IsNoFartherThanThreeTimesPyTorchInBf16) {
  constexpr auto type = stamp::cpu::Compute::int8;
  if (const auto reason = stamp::test::why_not_on_cpu(type); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  expect_no_farther<stamp::cpu::Backend>(3, type);
}

TEST(GoldensRoughly, CudaInBf16IsNoFartherThanPyTorchInBf16) {
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_bfloat16([]<class B>() { expect_no_farther<B>(1.1); });
}

/// Activations in bfloat16 and weights in 8 bits: int8 adds about as much as bfloat16 has; an e4m3
/// number is rounded 16 times as coarsely as a bfloat16, but only weights are, and not all.
constexpr double times_in_int8_weights = 2;
constexpr double times_in_fp8_weights = 5;
auto expect_all_in(double times) {
  return [times]<class B>(auto weights) { expect_no_farther<B>(times, weights); };
}

TEST(GoldensRoughly, CudaKernelsWalkedInInt8AreNoFartherThanTwicePyTorchInBf16) {
  if (!stamp::test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  stamp::test::on_walked_weights("int8", expect_all_in(times_in_int8_weights));
}
TEST(GoldensRoughly, CudaKernelsWalkedInFp8AreNoFartherThanFiveTimesPyTorchInBf16) {
  if (!stamp::test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  stamp::test::on_walked_weights("fp8", expect_all_in(times_in_fp8_weights));
}
TEST(GoldensRoughly, CudaInInt8IsNoFartherThanTwicePyTorchInBf16) {
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_weights("int8", expect_all_in(times_in_int8_weights));
}
TEST(GoldensRoughly, CudaInFp8IsNoFartherThanFiveTimesPyTorchInBf16) {
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_weights("fp8", expect_all_in(times_in_fp8_weights));
}

TEST_P(Goldens, CudaInFp32IsPyTorchLayerByLayer) {
  if (GetParam().in_double) return;
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_float(
      []<class B>() { run_case<B>(GetParam(), stamp::tolerance_of(stamp::ElementType::float32)); });
}

TEST_P(Goldens, CudaInBf16TellsFromGraphsWhatPlainLaunchesTell) {
  if (GetParam().in_double) return;
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_bfloat16([]<class B>() {
    const auto run = stamp::read_exported_run(GetParam().activations);
    auto model = stamp::load<B>(GetParam().model);
    const auto tell = [&](const auto& tap) {
      return stamp::test::tell_run(model.engine(), model.stamp(), run.input, tap);
    };
    const auto expected = tell(stamp::test::Listener{});
    EXPECT_TRUE(tell(stamp::NoTap{}) == expected) << "bit for bit";
    model.engine().overlap_kernels(false);
    EXPECT_TRUE(tell(stamp::NoTap{}) == expected) << "no kernel begins while another ends";
  });
}

TEST_P(Goldens, CudaKernelsWalkedOnTheHostArePyTorchLayerByLayer) {
  if (GetParam().in_double) return;
  if (!stamp::test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  stamp::test::on_walked_kernels(
      []<class B>() { run_case<B>(GetParam(), stamp::tolerance_of(stamp::ElementType::float32)); });
}

INSTANTIATE_TEST_SUITE_P(All, Goldens, testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = tested.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
