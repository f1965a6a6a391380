// SPDX-License-Identifier: Apache-2.0
// requirement::HasRmsNorm and HasLayerNorm on every engine.
#include <stamp/ops/fused.hpp>

#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Norm : public Operation<B> {};
TYPED_TEST_SUITE(Norm, Engines, EngineName);

struct Shape {
  Index rows, columns, margin;
};
constexpr Shape shapes[] = {{1, 1, 0},  {1, 192, 3},  {31, 1, 2},   {7, 61, 1},  {3, 256, 0},
                            {0, 16, 0}, {2, 2056, 8}, {1, 4105, 1}, {2, 4632, 0}};

std::vector<double> plain_rms_norm(const std::vector<double>& x, const std::vector<double>& weight,
                                   double eps) {
  std::vector<double> y;
  const std::size_t width = weight.size();
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    double squares = 0;
    for (std::size_t at = 0; at < width; ++at) squares += x[row * width + at] * x[row * width + at];
    const double divisor = std::sqrt(squares / static_cast<double>(width) + eps);
    for (std::size_t at = 0; at < width; ++at) {
      y.push_back(x[row * width + at] / divisor * weight[at]);
    }
  }
  return y;
}

std::vector<double> plain_layer_norm(const std::vector<double>& x,
                                     const std::vector<double>& weight,
                                     const std::vector<double>& bias, double eps) {
  std::vector<double> y;
  const std::size_t width = weight.size();
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    double mean = 0;
    for (std::size_t at = 0; at < width; ++at) mean += x[row * width + at];
    mean /= static_cast<double>(width);
    double variance = 0;
    for (std::size_t at = 0; at < width; ++at) variance += std::pow(x[row * width + at] - mean, 2);
    variance /= static_cast<double>(width);
    for (std::size_t at = 0; at < width; ++at) {
      y.push_back((x[row * width + at] - mean) / std::sqrt(variance + eps) * weight[at] + bias[at]);
    }
  }
  return y;
}

TYPED_TEST(Norm, EqualThePlainLoop) {
  using T = typename TypeParam::Element;
  for (const auto& [rows, columns, margin] : shapes) {
    for (const double eps : {1e-6, 0.25}) {  // 0.25: an epsilon that is left out shows
      const StoredWeight weight(ElementType::float32, {columns}, 1);
      const StoredWeight bias(ElementType::bfloat16, {columns}, 2);
      const auto w = this->backend.vector(weight.stored(), Hidden{columns});
      const auto b = this->backend.vector(bias.stored(), Hidden{columns});
      const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{rows}, Hidden{columns}, 3,
                                                 margin);
      const Operand<TypeParam, Tokens, Hidden> y(this->backend, Tokens{rows}, Hidden{columns}, 4,
                                                 margin);
      rms_norm(this->backend, y.view(), x.input(), w, eps);
      expect_close<T>(plain_rms_norm(x.values(), weight.rounded_to<T>(), eps), y.found(),
                      "rms_norm");
      layer_norm(this->backend, y.view(), x.input(), w, b, eps);
      expect_close<T>(
          plain_layer_norm(x.values(), weight.rounded_to<T>(), bias.rounded_to<T>(), eps),
          y.found(), "layer_norm");
      layer_norm(this->backend, x.view(), x.input(), w, b, eps);
      EXPECT_EQ(x.found(), y.found()) << "layer_norm in place";
    }
  }
}

TYPED_TEST(Norm, RmsNormRoundsTheQuotientBeforeTheWeight) {
  using T = typename TypeParam::Element;
  using Number = Accumulator<T>;
  const StoredWeight weight(ElementType::float32, {97}, 1);
  const auto w = this->backend.vector(weight.stored(), Hidden{97});
  const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{5}, Hidden{97}, 2);
  const Operand<TypeParam, Tokens, Hidden> y(this->backend, Tokens{5}, Hidden{97}, 3);
  rms_norm(this->backend, y.view(), x.input(), w, 1e-6);
  const auto quotients = plain_rms_norm(x.values(), std::vector<double>(97, 1.0), 1e-6);
  const auto weights = weight.rounded_to<T>();
  const auto found = y.found();
  Index differ = 0;  // a quotient may lie so close to a tie that float and double disagree
  for (std::size_t at = 0; at < found.size(); ++at) {
    const auto product =
        static_cast<Number>(rounded<T>(quotients[at])) * static_cast<Number>(weights[at % 97]);
    differ += found[at] != rounded<T>(static_cast<double>(product)) ? 1 : 0;
  }
  if (sizeof(T) == 2) {
    EXPECT_LE(differ, 2);
  }
}

TYPED_TEST(Norm, RmsNormAndProductInOneAreTheTwo) {
  using T = typename TypeParam::Element;
  auto& engine = this->backend;
  struct Sizes {
    Index rows, width, outputs, margin;
  };
  for (const auto& [rows, width, outputs, margin] :
       {Sizes{1, 1, 1, 0}, Sizes{17, 96, 1, 0}, Sizes{8, 256, 1, 0}, Sizes{31, 61, 1, 1},
        Sizes{9, 600, 1, 8}, Sizes{5, 40, 3, 0}, Sizes{0, 16, 1, 0}}) {
    for (const double eps : {1e-6, 0.25}) {
      const auto frame = engine.frame();
      const StoredWeight norm(ElementType::float32, {width}, 1);
      const StoredWeight weight(ElementType::bfloat16, {outputs, width}, 2);
      const StoredWeight bias(ElementType::float32, {outputs}, 3);
      const auto n = engine.vector(norm.stored(), Hidden{width});
      const auto w = engine.matrix(weight.stored(), Logit{outputs}, Hidden{width});
      const auto b = engine.vector(bias.stored(), Logit{outputs});
      const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 4, margin);
      const Operand<TypeParam, Tokens, Hidden> normal(engine, Tokens{rows}, Hidden{width}, 5);
      const Operand<TypeParam, Tokens, Logit> two(engine, Tokens{rows}, Logit{outputs}, 6);
      // Nine rows more, which are to stay as they are.
      const Operand<TypeParam, Tokens, Logit> one(engine, Tokens{rows + 9}, Logit{outputs}, 7,
                                                  margin);
      rms_norm(engine, normal.view(), x.input(), n, eps);
      matmul(engine, two.view(), normal.input(), w, b);
      rms_norm_matmul(engine, stamp::rows(one.view(), 0, rows), x.view(), n, eps, w, b);
      auto expected = two.found();
      expected.insert(expected.end(), one.values().begin() + rows * outputs, one.values().end());
      expect_close<T>(expected, one.found(),
                      std::to_string(rows) + " rows of " + std::to_string(width));
      EXPECT_EQ(x.values(), x.found()) << "the input was written to";
    }
  }
}

TYPED_TEST(Norm, NameTheAxisThatDoesNotFit) {
  auto& engine = this->backend;
  const StoredWeight weight(ElementType::float32, {4}, 1);
  const StoredWeight longer(ElementType::float32, {5}, 1);
  const auto w = engine.vector(weight.stored(), Hidden{4});
  const auto w5 = engine.vector(longer.stored(), Hidden{5});
  const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{2}, Hidden{4}, 1);
  const Operand<TypeParam, Tokens, Hidden> y(engine, Tokens{3}, Hidden{4}, 1);
  const Operand<TypeParam, Tokens, Hidden> z(engine, Tokens{2}, Hidden{4}, 1);
  EXPECT_EQ(usage_error([&] { rms_norm(engine, y.view(), x.input(), w, 1e-6); }),
            "rms_norm: expected (Tokens 3, Hidden 4), found (Tokens 2, Hidden 4)");
  EXPECT_EQ(usage_error([&] { rms_norm(engine, z.view(), x.input(), w5, 1e-6); }),
            "rms_norm weight: expected Hidden 4, found Hidden 5");
  EXPECT_EQ(usage_error([&] { layer_norm(engine, y.view(), x.input(), w, w, 1e-6); }),
            "layer_norm: expected (Tokens 3, Hidden 4), found (Tokens 2, Hidden 4)");
  EXPECT_EQ(usage_error([&] { layer_norm(engine, z.view(), x.input(), w5, w, 1e-6); }),
            "layer_norm weight: expected Hidden 4, found Hidden 5");
  EXPECT_EQ(usage_error([&] { layer_norm(engine, z.view(), x.input(), w, w5, 1e-6); }),
            "layer_norm bias: expected Hidden 4, found Hidden 5");
}

}  // namespace
}  // namespace stamp::test
