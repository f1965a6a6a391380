// SPDX-License-Identifier: Apache-2.0
// Objects of one mask pass do not see each other, through all layers: joined products, recorded
// steps, attention by every kernel. cuda::Engine as it stands, on the host.
#include <gtest/gtest.h>

#include <cuda/replay/host_device.hpp>
#include <parity/objects_apart.hpp>
#include <stamp/cuda.hpp>

namespace stamp::test {
namespace {

/// 3 × 3 cells an object.
constexpr qwen2_vl::PatchGrid grid{1, 6, 6};

template <class T>
void expect_apart(const qwen2_vl::Config& config, auto... how) {
  host_device() = {};
  cuda::Engine<T> engine(1, how...);
  expect_objects_apart(engine, config, grid);
  EXPECT_EQ(host_device().recorded, 1) << "all passes are one recording";
  EXPECT_EQ(host_device().replayed, 7) << "all but the first";
}

TEST(ObjectsApart, InFloat) { expect_apart<float>(heads_of_16()); }
TEST(ObjectsApart, OnTensorCores) { expect_apart<bfloat16>(heads_of_16()); }
TEST(ObjectsApart, InEightBits) {
  expect_apart<bfloat16>(heads_of_16(), cuda::Weights::int8);
  expect_apart<bfloat16>(heads_of_16(), cuda::Weights::fp8);
}
/// Three objects of 9 cells and 3 heads are more rows than one tile of the other kernel.
TEST(ObjectsApart, WithTheHopperKernel) {
  auto config = heads_of_16();
  config.text.hidden_size = config.vision.hidden_size = 192;
  config.text.num_attention_heads = 3;
  config.text.num_key_value_heads = 1;
  config.text.mrope_section = {8, 12, 12};
  expect_apart<bfloat16>(config, cuda::Attention::hopper);
  EXPECT_GE(host_device().by_hopper, 2 * config.text.num_hidden_layers) << "plain and recorded";
}

}  // namespace
}  // namespace stamp::test
