// SPDX-License-Identifier: Apache-2.0
// Every named activation of a tiny SAM against PyTorch's (reference/pytorch/sam_goldens.py), and
// the masks that come of them, pixel by pixel.
#include <gtest/gtest.h>

#include <array>
#include <cuda_goldens.hpp>
#include <stamp/checkpoint/json.hpp>
#include <stamp/image/read.hpp>
#include <stamp/reference.hpp>
#include <stamp/session/replay_sam.hpp>

#include "cpu_types.hpp"
#include "no_farther.hpp"

namespace stamp {
namespace {

const std::filesystem::path goldens = std::filesystem::path(STAMP_SOURCE_DIR) / "tests/goldens";

/// The committed activations, or those that PyTorch has just written (STAMP_FRESH_SAM).
std::filesystem::path file_of(const std::string& name) {
  const char* fresh = std::getenv("STAMP_FRESH_SAM");
  const std::filesystem::path folder = fresh == nullptr ? goldens / "sam" : fresh;
  return folder / "activations" / (name + ".safetensors");
}

/// The run that PyTorch made, made here.
template <class B>
Recording<typename B::Number> replay_on_its_picture(SamModel<B>& model, const ExportedSamRun& run) {
  return replay(model, run, read_image(goldens / "images-parity" / run.image));
}

/// Pixels that two masks' logits [masks, height, width] have otherwise.
template <class Number>
Index pixels_apart(const Recorded<double>& expected, const Recorded<Number>& found) {
  Index apart = 0;
  for (std::size_t at = 0; at < expected.values.size(); ++at) {
    apart += (expected.values[at] > 0) != (found.values[at] > 0) ? 1 : 0;
  }
  return apart;
}

template <class B, class... EngineArguments>
void run_case(const std::string& name, Tolerance tolerance, EngineArguments... arguments) {
  const ExportedSamRun run = read_exported_sam_run(file_of(name));
  auto model = load_sam<B>(goldens / "sam/model.safetensors", 2, arguments...);
  const auto recording = replay_on_its_picture(model, run);
  ASSERT_GE(run.expected.size(), 5U) << "a golden with so few activations proves nothing";
  for (const ParityRow& row : compare_run(run, recording, model.config(), tolerance)) {
    EXPECT_TRUE(row.ok) << row.name << " " << to_string(std::span<const Index>(row.shape))
                        << ", found " << to_string(std::span<const Index>(row.found_shape))
                        << ": largest difference " << row.largest_difference << ", " << row.used
                        << " of the tolerance, cosine " << row.cosine;
  }
  for (const auto& [tensor, expected] : run.expected) {
    const auto found = recording.find(tensor);
    if (!tensor.ends_with(".masks") || found == recording.end()) continue;
    EXPECT_EQ(pixels_apart(expected, found->second), 0)
        << tensor << ": pixels of " << expected.values.size()
        << " that PyTorch's mask has otherwise";
  }
}

constexpr std::array cases{"points", "mask", "box", "both", "cascade", "cascade-clean"};

class SamGoldens : public testing::TestWithParam<const char*> {};

TEST_P(SamGoldens, ReferenceIsPyTorchLayerByLayer) {
  run_case<reference::Engine<float>>(GetParam(), tolerance_of(ElementType::float32));
}

TEST_P(SamGoldens, FastCpuInFp32IsPyTorchLayerByLayerWithEveryInstructionSet) {
  for (const auto isa : {cpu::Isa::avx2, cpu::Isa::avx512}) {
    if (isa > cpu::best_isa()) continue;
    SCOPED_TRACE(cpu::name_of(isa));
    run_case<cpu::Backend>(GetParam(), tolerance_of(ElementType::float32), cpu::Compute::fp32, isa);
  }
}

TEST_P(SamGoldens, CudaInFp32IsPyTorchLayerByLayer) {
  if (const auto reason = test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  test::on_cuda_float(
      []<class B>() { run_case<B>(GetParam(), tolerance_of(ElementType::float32)); });
}

TEST_P(SamGoldens, CudaKernelsWalkedOnTheHostArePyTorchLayerByLayer) {
  if (!test::has_walked_kernels) GTEST_SKIP() << "stamp::cuda is not built";
  test::on_walked_kernels(
      []<class B>() { run_case<B>(GetParam(), tolerance_of(ElementType::float32)); });
}

INSTANTIATE_TEST_SUITE_P(All, SamGoldens, testing::ValuesIn(cases), [](const auto& tested) {
  std::string name = tested.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

/// Numbers of fewer bits are no farther from PyTorch's float32 run than PyTorch's own bfloat16 run
/// is (bf16_distances of reference/pytorch/sam_goldens.py), times `times`. Of all masks' pixels,
/// `pixels` are PyTorch's.
template <class B, class... EngineArguments>
void expect_no_farther(double times, double pixels, EngineArguments... arguments) {
  test::Distances distances;
  Index apart = 0;
  Index all = 0;
  const auto theirs = checkpoint::read_json(goldens / "sam/bf16_distances.json");
  auto model = load_sam<B>(goldens / "sam/model.safetensors", 2, arguments...);
  for (const char* name : cases) {
    const ExportedSamRun run = read_exported_sam_run(file_of(name));
    const auto recording = replay_on_its_picture(model, run);
    distances.add(name,
                  compare_run(run, recording, model.config(), tolerance_of(ElementType::bfloat16)),
                  theirs[name]);
    for (const auto& [tensor, expected] : run.expected) {
      if (!tensor.ends_with(".masks")) continue;
      apart += pixels_apart(expected, recording.at(tensor));
      all += std::ssize(expected.values);
    }
  }
  EXPECT_EQ(distances.objections(times), std::vector<std::string>{});
  distances.record();
  EXPECT_GE(static_cast<double>(all - apart), pixels * static_cast<double>(all));
}

TEST(SamGoldensRoughly, FastCpuInBf16IsNoFartherThanPyTorchInBf16) {
  constexpr auto type = cpu::Compute::bf16;
  if (const auto reason = test::why_not_on_cpu(type); !reason.empty()) GTEST_SKIP() << reason;
  expect_no_farther<cpu::Backend>(1.1, .99, type);
}

TEST(SamGoldensRoughly, FastCpuInInt8IsNoFartherThanThreeTimesPyTorchInBf16) {
  constexpr auto type = cpu::Compute::int8;
  if (const auto reason = test::why_not_on_cpu(type); !reason.empty()) GTEST_SKIP() << reason;
  expect_no_farther<cpu::Backend>(3, .98, type);
}

TEST(SamGoldensRoughly, CudaInBf16IsNoFartherThanPyTorchInBf16) {
  if (const auto reason = test::why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  test::on_cuda_bfloat16([]<class B>() { expect_no_farther<B>(1.1, .99); });
}

TEST(SamGoldensInDouble, ReferenceIsPyTorchLayerByLayer) {
  for (const char* name : {"both.f64", "cascade.f64"}) {
    SCOPED_TRACE(name);
    run_case<reference::Engine<double>>(name, {1e-9, 1e-12});
  }
}

}  // namespace
}  // namespace stamp
