// SPDX-License-Identifier: Apache-2.0
// requirement::GivesMemory, TakesWeights and MovesNumbers on every engine.
#include "engines.hpp"

namespace stamp::test {
namespace {

static_assert(Backend<reference::Engine<bfloat16>>);
static_assert(Backend<reference::Engine<half>>);

template <class B>
class Memory : public Operation<B> {};
TYPED_TEST_SUITE(Memory, Engines, EngineName);

TYPED_TEST(Memory, UploadRoundsAndDownloadWidens) {
  using T = typename TypeParam::Element;
  const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{3}, Hidden{5}, 1);
  EXPECT_EQ(x.values(), x.found());
  using Number = typename TypeParam::Number;
  const std::vector<Number> third{static_cast<Number>(1) / 3};
  std::vector<Number> back(1);
  const auto view = this->backend.template allocate<T>(Tokens{1});
  this->backend.upload(view, std::span<const Number>(third));
  this->backend.download(std::span(back), view);
  EXPECT_EQ(static_cast<double>(back[0]), rounded<T>(static_cast<double>(third[0])));
}

TYPED_TEST(Memory, CountsThatDifferAreRefused) {
  using Number = typename TypeParam::Number;
  const auto view =
      this->backend.template allocate<typename TypeParam::Element>(Tokens{2}, Hidden{3});
  std::vector<Number> five(5);
  EXPECT_EQ(usage_error([&] { this->backend.upload(view, std::span<const Number>(five)); }),
            "upload: expected 6 numbers, found 5");
  EXPECT_EQ(usage_error([&] { this->backend.download(std::span(five), view); }),
            "download: expected 6 numbers, found 5");
}

TYPED_TEST(Memory, KeptTensorsOutliveFrames) {
  using Number = typename TypeParam::Number;
  auto kept = [&] {
    const auto frame = this->backend.frame();
    auto tensor = this->backend.keep(Keys{2}, KvHeads{1}, HeadDim{2});
    const std::vector<Number> numbers{1, 2, 3, 4};
    this->backend.upload(tensor.view(), std::span<const Number>(numbers));
    return tensor;
  }();
  const Operand<TypeParam, Tokens, Hidden> overwrites(this->backend, Tokens{100}, Hidden{100}, 1);
  std::vector<Number> back(4);
  this->backend.download(std::span(back), kept.view());
  EXPECT_EQ(back, (std::vector<Number>{1, 2, 3, 4}));
}

TYPED_TEST(Memory, IntegerWeightsAreRefused) {
  StoredTensor stored;
  stored.type = ElementType::int32;
  stored.rank = 1;
  stored.extents[0] = 1;
  const std::int32_t number = 1;
  stored.data = reinterpret_cast<const std::byte*>(&number);
  try {
    (void)this->backend.vector(stored, Hidden{1});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::input);
    EXPECT_STREQ(error.what(), "weight: expected a floating-point type, found I32");
  }
}

TYPED_TEST(Memory, ShapesWhoseProductOverflowsAreRefused) {
  EXPECT_THROW((void)this->backend.template allocate<typename TypeParam::Element>(
                   Tokens{Index{1} << 40U}, Hidden{Index{1} << 40U}),
               Error);
}

}  // namespace
}  // namespace stamp::test
