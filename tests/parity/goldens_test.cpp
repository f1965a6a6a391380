// SPDX-License-Identifier: Apache-2.0
// Every named activation of every golden run, against PyTorch's, on every backend.
#include <gtest/gtest.h>

#include <cuda_goldens.hpp>
#include <nlohmann/json.hpp>
#include <stamp/checkpoint/json.hpp>
#include <stamp/cpu.hpp>
#include <stamp/reference.hpp>
#include <stamp/session/exported_run.hpp>

#include "no_farther.hpp"

namespace {

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

/// The committed activations, or those that PyTorch has just written (STAMP_FRESH_ACTIVATIONS).
std::filesystem::path activations_of(const std::string& file) {
  const char* fresh = std::getenv("STAMP_FRESH_ACTIVATIONS");
  return fresh == nullptr ? goldens / file
                          : std::filesystem::path(fresh) / std::filesystem::path(file).filename();
}

struct Case {
  std::string name;
  std::filesystem::path model;
  std::filesystem::path activations;
  bool in_double = false;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const auto json = stamp::checkpoint::read_json(goldens / "cases.json");
  for (const auto& entry : json["cases"]) {
    const std::string name = entry["name"];
    const std::string model = entry["model"];
    list.push_back({name, goldens / model, activations_of(entry["activations"])});
    if (entry["activations_float64"].is_string()) {
      list.push_back(
          {name + "-float64", goldens / model, activations_of(entry["activations_float64"]), true});
    }
  }
  return list;
}

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

/// How far one run is, beside PyTorch's own in bfloat16 (reference/pytorch/bf16_distances.py).
template <class B, class... EngineArguments>
void add_distances(stamp::test::Distances& distances, const Case& golden,
                   EngineArguments... arguments) {
  const auto theirs = stamp::checkpoint::read_json(goldens / "bf16_distances.json")[golden.name];
  const auto run = stamp::read_exported_run(golden.activations);
  auto model = stamp::load<B>(golden.model, {}, arguments...);
  const auto recording = stamp::replay(model.engine(), model.stamp(), run.input);
  distances.add(stamp::compare_run(run, recording, model.config(),
                                   stamp::tolerance_of(stamp::ElementType::bfloat16)),
                theirs);
}

/// bfloat16 products are no farther from PyTorch's float32 run than PyTorch's bfloat16 run is,
/// times 1.1.
template <class B, class... EngineArguments>
void expect_no_farther(const Case& golden, EngineArguments... arguments) {
  stamp::test::Distances distances;
  add_distances<B>(distances, golden, arguments...);
  distances.expect_no_farther(1.1);
}

TEST_P(Goldens, FastCpuInBf16IsNoFartherThanPyTorchInBf16) {
  if (GetParam().in_double) return;
  if (stamp::cpu::best_isa() < stamp::cpu::Isa::avx512) {
    GTEST_SKIP() << "this processor does not multiply bfloat16";
  }
  expect_no_farther<stamp::cpu::Backend>(GetParam(), stamp::cpu::Compute::bf16);
}

/// 8-bit weights, over all goldens together. Each case alone has too few numbers to be held to it.
template <class B, class... EngineArguments>
void expect_all_no_farther(double times, EngineArguments... arguments) {
  stamp::test::Distances distances;
  for (const Case& golden : cases()) {
    if (golden.in_double) continue;
    add_distances<B>(distances, golden, arguments...);
  }
  distances.expect_no_farther(times);
}

TEST(GoldensRoughly, FastCpuInInt8IsNoFartherThanThreeTimesPyTorchInBf16) {
  expect_all_no_farther<stamp::cpu::Backend>(3, stamp::cpu::Compute::int8);
}

/// Activations in bfloat16 and weights in 8 bits: int8 adds about as much as bfloat16 has; an e4m3
/// number is rounded 16 times as coarsely as a bfloat16, but only weights are, and not all.
constexpr double times_in_int8_weights = 2;
constexpr double times_in_fp8_weights = 5;
auto expect_all_in(double times) {
  return [times]<class B>(auto weights) { expect_all_no_farther<B>(times, weights); };
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

TEST_P(Goldens, CudaInBf16IsNoFartherThanPyTorchInBf16) {
  if (GetParam().in_double) return;
  if (const auto reason = stamp::test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  stamp::test::on_cuda_bfloat16([]<class B>() { expect_no_farther<B>(GetParam()); });
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
