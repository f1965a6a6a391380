// SPDX-License-Identifier: Apache-2.0
// How rows of a matrix become 8-bit codes, which matrices do, and what codes widen to.
#include <cuda/bodies.hpp>
#include <ops/engines.hpp>
#include <stamp/cuda/kept.hpp>
#include <stamp/cuda/panels.hpp>
#include <stamp/cuda/precision.hpp>
#include <stamp/cuda/quantize.hpp>

namespace stamp::test {
namespace {

using cuda::float8_e4m3;

template <class C>
class Rounding : public ::testing::Test {};
using EachCode = ::testing::Types<std::int8_t, float8_e4m3>;
TYPED_TEST_SUITE(Rounding, EachCode);

TYPED_TEST(Rounding, ALargestNumberBecomesTheLargestCodeAndTheOthersTheNearest) {
  for (const double scale : {1.0, 3e-5, 1e30, 1e-30}) {
    std::vector<float> row;
    for (const double number : random_numbers(300, 1, scale)) {
      row.push_back(static_cast<float>(number));
    }
    std::vector<TypeParam> codes(row.size());
    const float kept = cuda::quantize_row(codes.data(), row);
    float largest = 0;
    for (const float number : row) largest = std::max(largest, std::abs(number));
    EXPECT_EQ(kept, largest / cuda::largest_code<TypeParam>);
    double most = 0;
    for (std::size_t at = 0; at < row.size(); ++at) {
      const auto code = static_cast<double>(static_cast<float>(codes[at]));
      most = std::max(most, std::abs(code));
      const double exact = static_cast<double>(row[at]) / static_cast<double>(kept);
      // Half of what lies between two codes.
      const double half = std::same_as<TypeParam, std::int8_t>
                              ? 0.5
                              : std::max(0x1p-10, std::ldexp(1.0, std::ilogb(exact) - 4));
      EXPECT_LE(std::abs(code - exact), half * (1 + 1e-5)) << exact;
    }
    EXPECT_EQ(most, cuda::largest_code<TypeParam>);
  }
}

TEST(Bytes, RoundTiesToEven) {
  std::vector<std::int8_t> codes(6);
  EXPECT_EQ(cuda::quantize_row(codes.data(), {-254, 1, 3, -1, -3, 254}), 2.0F);
  EXPECT_EQ(codes, (std::vector<std::int8_t>{-127, 0, 2, 0, -2, 127}));
}

/// As uploads ask: stretch by stretch, wherever they cut a row.
TYPED_TEST(Rounding, AMatrixInStretchesIsTheWholeMatrix) {
  constexpr Index out = 5;
  constexpr Index in = 21;
  for (const ElementType type :
       {ElementType::float32, ElementType::bfloat16, ElementType::float16, ElementType::float64}) {
    const StoredWeight weight(type, {out, in}, 1, 1);
    std::vector<std::byte> whole(out * in);
    cuda::Quantizer<TypeParam> once(weight.stored(), out, in);
    once(whole.data(), 0, out * in);
    for (Index row = 0; row < out; ++row) {
      std::vector<TypeParam> codes(in);
      const auto begin = weight.values().begin() + row * in;
      EXPECT_EQ(once.scales()[static_cast<std::size_t>(row)],
                cuda::quantize_row(codes.data(), std::vector<float>(begin, begin + in)));
      EXPECT_EQ(std::memcmp(codes.data(), whole.data() + row * in, in), 0) << "row " << row;
    }
    for (const Index stretch : {1, 20, 21, 22, 64}) {
      std::vector<std::byte> parts(whole.size());
      cuda::Quantizer<TypeParam> several(weight.stored(), out, in);
      for (Index begin = 0; begin < out * in; begin += stretch) {
        several(parts.data() + begin, begin, std::min(stretch, out * in - begin));
      }
      EXPECT_EQ(parts, whole) << stretch;
      EXPECT_EQ(several.scales(), once.scales()) << stretch;
    }
  }
}

/// Every code, in every place of a load, exactly; then with its row's scale.
TYPED_TEST(Rounding, CodesWidenToWhatTheyAre) {
  for (const Index columns : {256, 257, 48, 5, 1}) {
    const Index rows = 4096 / columns + 2;  // more than one block
    std::vector<TypeParam> codes;
    std::vector<float> scales;
    for (Index at = 0; at < rows * columns; ++at) {
      auto byte = static_cast<std::uint8_t>(at * 67 + at / 256);
      if (byte % 128 == 127 || byte == 128) byte = 3;  // no code of a row: NaN, -128
      codes.push_back(std::bit_cast<TypeParam>(byte));
    }
    for (Index row = 0; row < rows; ++row) {
      scales.push_back(row % 3 == 0 ? 1 : 0.37F / static_cast<float>(row));
    }
    std::vector<bfloat16> wide(codes.size(), bfloat16(NAN));
    walked::widen_rows<TypeParam>({wide.data(), rows, columns, columns}, codes.data(),
                                  scales.data());
    for (std::size_t at = 0; at < codes.size(); ++at) {
      const float scale = scales[at / static_cast<std::size_t>(columns)];
      const bfloat16 expected(static_cast<float>(codes[at]) * scale);
      ASSERT_EQ(wide[at].bits, expected.bits) << at << " of rows of " << columns;
    }
  }
}

TEST(OutputPanels, CoverEveryOutputOnceAndStaySmall) {
  for (const Index out : {1, 127, 128, 129, 8960, 18944, 151936}) {
    for (const Index in : {1, 1536, 3584, 40'000'000}) {
      const cuda::OutputPanels panels{out, in};
      Index next = 0;
      for (Index at = 0; at < panels.count(); ++at) {
        EXPECT_EQ(panels.first(at), next);
        EXPECT_GT(panels.size(at), 0);
        EXPECT_LE(panels.size(at), panels.height());
        next += panels.size(at);
      }
      EXPECT_EQ(next, out);
      EXPECT_LE(panels.height() * in, cuda::panel_numbers + 128 * in);
      EXPECT_EQ(panels.height() % 128, 0);
    }
  }
  EXPECT_EQ((cuda::OutputPanels{8960, 1536}.count()), 1);   // gate of the 2B model
  EXPECT_EQ((cuda::OutputPanels{18944, 3584}.count()), 5);  // of the 7B model
}

TEST(Weights, HaveTheNamesOfTheirTypes) {
  EXPECT_EQ(cuda::weights_named("int8"), cuda::Weights::int8);
  EXPECT_EQ(cuda::weights_named("fp8"), cuda::Weights::fp8);
  EXPECT_EQ(cuda::weights_named("bf16"), cuda::Weights::full);
}

TEST(Weights, AreReadAsWhatTheyAre) {
  cuda::Matrix<bfloat16, Ffn, Hidden> matrix;
  EXPECT_EQ(matrix.numbers<bfloat16>(), nullptr);  // nothing yet, but of that type
  matrix.kept = cuda::Weights::fp8;
  EXPECT_EQ(matrix.numbers<float8_e4m3>(), nullptr);
  EXPECT_EQ(usage_error([&] { (void)matrix.numbers<bfloat16>(); }),
            "cuda: matrix: expected weights in the engine's element type, found fp8");
  EXPECT_EQ(usage_error([&] { (void)matrix.numbers<std::int8_t>(); }),
            "cuda: matrix: expected weights in int8, found fp8");
}

TEST(Weights, AreCodesInTheLanguageModelButForItsFirstLayer) {
  for (const auto wanted : {cuda::Weights::int8, cuda::Weights::fp8}) {
    for (const char* leaf : {"model.layers.1.mlp.down_proj", "model.layers.27.self_attn.q_proj",
                             "model.embed_tokens", "lm_head", ""}) {
      EXPECT_EQ(cuda::weights_for(leaf, wanted), wanted) << leaf;
    }
    for (const char* leaf :
         {"model.layers.0.mlp.down_proj", "visual.patch_embed", "visual.blocks.3.attn.qkv",
          "visual.merger.mlp.2", "classifier", "mask_decoder.transformer.layers.1.mlp.lin1"}) {
      EXPECT_EQ(cuda::weights_for(leaf, wanted), cuda::Weights::full) << leaf;
    }
  }
}

}  // namespace
}  // namespace stamp::test
