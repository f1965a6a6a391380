// SPDX-License-Identifier: Apache-2.0
// Weights are packed out of a file's map, and what was read of the map is given back.
#include <fstream>
#include <stamp/checkpoint/safetensors.hpp>

#include "engines.hpp"
#include "unit/checkpoint_files.hpp"

namespace stamp::test {
namespace {

/// Bytes of mapped files that are in this process's memory now.
Index resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8)) * 1024;
  }
  ADD_FAILURE() << "no RssFile in /proc/self/status";
  return 0;
}

TEST(Packing, GivesBackTheFileItHasRead) {
  constexpr Index out = 4096;
  constexpr Index in = 4096;
  constexpr Index bytes = out * in * 2;  // 32 MiB
  const files::TemporaryFolder folder;
  const std::string header = R"({"w":{"dtype":"BF16","shape":[4096,4096],"data_offsets":[0,)" +
                             std::to_string(bytes) + "]}}";
  const auto path = files::write(folder / "w.safetensors",
                                 files::safetensors(header, static_cast<std::size_t>(bytes)));
  const checkpoint::Safetensors file(path);
  cpu::Engine engine(2, cpu::Compute::fp32);
  const Index before = resident_file_bytes();
  const auto w = engine.matrix(*file.find("w"), Ffn{out}, Hidden{in});
  // The kernel maps some pages around each one that is touched, so a little stays.
  EXPECT_LT(resident_file_bytes() - before, bytes / 2);
  EXPECT_TRUE(file.find("w")->mapped);
}

TEST(Packing, LeavesWeightsInOrdinaryMemoryAlone) {
  cpu::Engine engine(2, cpu::Compute::fp32);
  const StoredWeight weight(ElementType::float32, {512, 512}, 1);
  const auto* const numbers = reinterpret_cast<const float*>(weight.stored().data);
  const float first = numbers[200 * 512];
  (void)engine.matrix(weight.stored(), Ffn{512}, Hidden{512});
  EXPECT_EQ(numbers[200 * 512], first);
  EXPECT_NE(first, 0);
}

/// Every stored type, shapes that fill no panel: x·Wᵀ picks each number of W out again.
TEST(Packing, KeepsEveryNumberInItsPlace) {
  for (const ElementType type :
       {ElementType::float32, ElementType::float16, ElementType::bfloat16, ElementType::float64}) {
    for (const auto& [out, in] : {std::pair<Index, Index>{1, 1}, {17, 5}, {64, 33}, {130, 70}}) {
      const StoredWeight weight(type, {out, in}, 3, 1);
      cpu::Engine engine(2, cpu::Compute::fp32);
      const cpu::Panels panels =
          cpu::pack(engine.pool(), engine.kernels(), weight.stored(), out, in, cpu::Compute::fp32);
      for (Index o = 0; o < out; ++o) {
        for (Index i = 0; i < in; ++i) {
          const std::uint32_t word =
              panels.panel(o / cpu::panel_width)[i * cpu::panel_width + o % cpu::panel_width];
          ASSERT_EQ(static_cast<float>(weight.values()[static_cast<std::size_t>(o * in + i)]),
                    std::bit_cast<float>(word))
              << o << ", " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace stamp::test
