// SPDX-License-Identifier: Apache-2.0
// requirement::HasAdd, HasCopy, HasQuickGelu, HasGelu, HasSwiglu on every engine.
#include "engines.hpp"

namespace stamp::test {
namespace {

template <class B>
class Pointwise : public Operation<B> {};
TYPED_TEST_SUITE(Pointwise, Engines, EngineName);

struct Shape {
  Index rows, columns, margin;
};
constexpr Shape shapes[] = {{1, 1, 0}, {1, 67, 3}, {53, 1, 2}, {13, 29, 0}, {7, 64, 1}, {0, 5, 0}};

/// f over pairs of numbers.
template <class F>
std::vector<double> plain(const std::vector<double>& a, const std::vector<double>& b, const F& f) {
  std::vector<double> y;
  for (std::size_t at = 0; at < a.size(); ++at) y.push_back(f(a[at], b[at]));
  return y;
}

double silu(double z) { return z / (1 + std::exp(-z)); }

TYPED_TEST(Pointwise, AddAndCopyEqualThePlainLoop) {
  using T = typename TypeParam::Element;
  for (const auto& [rows, columns, margin] : shapes) {
    const Operand<TypeParam, Tokens, Hidden> x(this->backend, Tokens{rows}, Hidden{columns}, 1,
                                               margin, 8);
    const Operand<TypeParam, Tokens, Hidden> y(this->backend, Tokens{rows}, Hidden{columns}, 2,
                                               margin, 8);
    const Operand<TypeParam, Tokens, Hidden> z(this->backend, Tokens{rows}, Hidden{columns}, 3);
    sum(this->backend, z.view(), x.input(), y.input());
    expect_close<T>(plain(x.values(), y.values(), [](double a, double b) { return a + b; }),
                    z.found(), "sum");
    add(this->backend, y.view(), x.input());
    expect_close<T>(plain(y.values(), x.values(), [](double a, double b) { return a + b; }),
                    y.found(), "add");
    copy(this->backend, z.view(), x.input());
    EXPECT_EQ(x.values(), z.found()) << "copy is exact";
    copy(this->backend, y.view(), z.input());
    EXPECT_EQ(x.values(), y.found()) << "copy is exact";
  }
}

TYPED_TEST(Pointwise, CopyTakesThreeAxes) {
  const Operand<TypeParam, Keys, KeyValues> x(this->backend, Keys{5}, KeyValues{6}, 1, 2);
  const Operand<TypeParam, Keys, KeyValues> y(this->backend, Keys{5}, KeyValues{6}, 2, 1);
  copy(this->backend, split(y.view(), KvHeads{2}, HeadDim{3}),
       split(x.input(), KvHeads{2}, HeadDim{3}));
  EXPECT_EQ(x.values(), y.found());
}

TYPED_TEST(Pointwise, ActivationsEqualThePlainLoop) {
  using T = typename TypeParam::Element;
  for (const auto& [rows, columns, margin] : shapes) {
    for (const double scale : {1.0, 40.0}) {  // 40: both tails are flat
      const auto make = [&](std::uint64_t seed) {
        return Operand<TypeParam, Patches, VisionFfn>(this->backend, Patches{rows},
                                                      VisionFfn{columns}, seed, margin, scale);
      };
      const auto quick = make(1);
      quick_gelu(this->backend, quick.view());
      expect_close<T>(plain(quick.values(), quick.values(),
                            [](double z, double) { return silu(1.702 * z) / 1.702; }),
                      quick.found(), "quick_gelu");
      const auto exact = make(2);
      gelu(this->backend, exact.view());
      expect_close<T>(
          plain(exact.values(), exact.values(),
                [](double z, double) { return 0.5 * z * std::erfc(-z * std::sqrt(0.5)); }),
          exact.found(), "gelu");
      const auto gate = make(3);
      const auto up = make(4);
      swiglu(this->backend, gate.view(), up.input());
      expect_close<T>(
          plain(gate.values(), up.values(), [](double g, double u) { return silu(g) * u; }),
          gate.found(), "swiglu");
    }
  }
}

TYPED_TEST(Pointwise, NonFiniteNumbersStayVisible) {
  Operand<TypeParam, Tokens, Ffn> x(this->backend, Tokens{1}, Ffn{3}, 1);
  x.change([](Index, Index at, double old) { return at == 1 ? std::nan("") : old; });
  gelu(this->backend, x.view());
  EXPECT_TRUE(std::isnan(x.found()[1]));
  EXPECT_TRUE(std::isfinite(x.found()[0]) && std::isfinite(x.found()[2]));
}

TYPED_TEST(Pointwise, NameBothShapesWhenTheyDiffer) {
  auto& engine = this->backend;
  const Operand<TypeParam, Tokens, Hidden> x(engine, Tokens{2}, Hidden{3}, 1);
  const Operand<TypeParam, Tokens, Hidden> y(engine, Tokens{2}, Hidden{4}, 1);
  const Operand<TypeParam, Tokens, Hidden> z(engine, Tokens{5}, Hidden{3}, 1);
  const std::string shapes_differ = ": expected (Tokens 2, Hidden 4), found (Tokens 2, Hidden 3)";
  EXPECT_EQ(usage_error([&] { add(engine, y.view(), x.input()); }), "add" + shapes_differ);
  EXPECT_EQ(usage_error([&] { copy(engine, y.view(), x.input()); }), "copy" + shapes_differ);
  EXPECT_EQ(usage_error([&] { swiglu(engine, y.view(), x.input()); }), "swiglu" + shapes_differ);
  EXPECT_EQ(usage_error([&] { add(engine, z.view(), x.input()); }),
            "add: expected (Tokens 5, Hidden 3), found (Tokens 2, Hidden 3)");
}

}  // namespace
}  // namespace stamp::test
