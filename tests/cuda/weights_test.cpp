// SPDX-License-Identifier: Apache-2.0
// Every product with matrices in 8-bit codes against plain sums, on the device where there is one
// and by the kernels' bodies on the host.
#include <cuda/walked_weights.hpp>
#include <memory>
#include <ops/engines.hpp>
#include <ops/plain_matmul.hpp>

namespace stamp::test {

template <cuda::Code C>
inline constexpr cuda::Weights weights_of =
    std::same_as<C, std::int8_t> ? cuda::Weights::int8 : cuda::Weights::fp8;

/// The engines with their big matrices in codes. Operations are called with an Engine: for a class
/// that is derived from it the parts of ops/fused.hpp would fit better than what it fuses.
template <cuda::Code C>
struct DeviceCodes : cuda::Engine<bfloat16> {
  explicit DeviceCodes(Index threads) : cuda::Engine<bfloat16>(threads, weights_of<C>) {}
  using Code = C;
  using Engine = cuda::Engine<bfloat16>;
};
template <cuda::Code C>
struct HostCodes : WalkedWeights {
  explicit HostCodes(Index threads) : WalkedWeights(threads, weights_of<C>) {}
  using Code = C;
  using Engine = WalkedWeights;
};
template <cuda::Code C>
inline constexpr bool is_cuda<DeviceCodes<C>> = true;

namespace {

using cuda::float8_e4m3;
using Numbers = std::vector<double>;

struct CodesName {
  template <class B>
  static std::string GetName(int) {
    return std::string(is_cuda<B> ? "cuda_bfloat16_" : "walked_") +
           (std::same_as<typename B::Code, std::int8_t> ? "int8" : "fp8");
  }
};
template <class B>
class Codes : public Operation<B> {};
using CodeEngines = ::testing::Types<HostCodes<std::int8_t>, HostCodes<float8_e4m3>,
                                     DeviceCodes<std::int8_t>, DeviceCodes<float8_e4m3>>;
TYPED_TEST_SUITE(Codes, CodeEngines, CodesName);

/// The weights that a product multiplies with: scale·code, and with more than four rows each of
/// them rounded to bfloat16.
template <cuda::Code C>
Numbers multiplied_codes(const StoredWeight& weight, Index in, Index rows) {
  Numbers all;
  std::vector<C> codes(static_cast<std::size_t>(in));
  for (auto row = weight.values().begin(); row != weight.values().end(); row += in) {
    const float scale = cuda::quantize_row(codes.data(), std::vector<float>(row, row + in));
    for (const C code : codes) {
      const float value = scale * static_cast<float>(code);
      all.push_back(rows <= 4
                        ? static_cast<double>(scale) * static_cast<double>(static_cast<float>(code))
                        : rounded<bfloat16>(value));
    }
  }
  return all;
}

/// One rounding to bfloat16, and sums in float of some hundred terms of order one.
constexpr Tolerance one_rounding{1e-5, 0x1.01p-8};

struct Shape {
  Index rows, in, out, margin;
};
/// Rows for both ways; whole and partial loads of 16 codes, one and several loads a lane.
constexpr Shape shapes[] = {{1, 16, 16, 0},  {1, 2064, 17, 0}, {2, 1536, 24, 8}, {3, 97, 31, 3},
                            {4, 64, 130, 1}, {4, 1040, 16, 0}, {5, 33, 129, 5},  {9, 128, 40, 0},
                            {1, 1, 16, 0},   {0, 32, 16, 0}};

TYPED_TEST(Codes, ProductsEqualThePlainSums) {
  using C = typename TypeParam::Code;
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  for (const auto& [rows, in, out, margin] : shapes) {
    const auto frame = engine.frame();
    const StoredWeight weight(ElementType::bfloat16, {out, in}, 1);
    const StoredWeight bias(ElementType::float32, {out}, 2);
    const auto w = engine.matrix(weight.stored(), Ffn{out}, Hidden{in});
    const auto b = engine.vector(bias.stored(), Ffn{out});
    const Operand<Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{in}, 3, margin);
    const Operand<Engine, Tokens, Ffn> y(engine, Tokens{rows}, Ffn{out}, 4, margin);
    const Numbers weights = multiplied_codes<C>(weight, in, rows);
    const std::string what =
        std::to_string(rows) + " x " + std::to_string(in) + " to " + std::to_string(out);
    matmul(engine, y.view(), x.input(), w);
    expect_close<bfloat16>(plain_matmul(x.values(), weights, {}, rows, in, out), y.found(), what,
                           one_rounding);
    matmul(engine, y.view(), x.input(), w, b);
    expect_close<bfloat16>(
        plain_matmul(x.values(), weights, bias.rounded_to<bfloat16>(), rows, in, out), y.found(),
        what + " with bias", one_rounding);
  }
}

/// The same bits for a row, whoever is multiplied beside it: drafts are checked that way.
TYPED_TEST(Codes, ARowDoesNotDependOnTheOthers) {
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  for (const Index in : {1536, 35}) {
    const StoredWeight weight(ElementType::bfloat16, {40, in}, 1);
    const auto w = engine.matrix(weight.stored(), Ffn{40}, Hidden{in});
    const Operand<Engine, Tokens, Hidden> x(engine, Tokens{4}, Hidden{in}, 3);
    const Operand<Engine, Tokens, Ffn> all(engine, Tokens{4}, Ffn{40}, 4);
    matmul(engine, all.view(), x.input(), w);
    const Numbers together = all.found();
    for (const Index rows : {1, 2, 3}) {
      const Operand<Engine, Tokens, Ffn> y(engine, Tokens{rows}, Ffn{40}, 5);
      matmul(engine, y.view(), stamp::rows(x.input(), 0, rows), w);
      const Numbers alone = y.found();
      EXPECT_TRUE(std::ranges::equal(alone, std::span(together).first(alone.size())))
          << rows << " rows of " << in;
    }
  }
}

template <class B, Axis Out>
struct Affine {
  std::shared_ptr<const StoredWeight> stored;  ///< the file that a wide weight stays in
  typename B::template Matrix<Out, Hidden> weight;
  typename B::template Vector<Out> bias;
};

/// With keys of fewer than 16 outputs, which stay in bfloat16, too.
TYPED_TEST(Codes, QueryKeyAndValueAreThreeProducts) {
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  for (const Index keys : {32, 8}) {
    const auto loaded = [&]<Axis Out>(Out out, std::uint64_t seed) {
      const auto weight = std::make_shared<const StoredWeight>(
          ElementType::float32, std::vector<Index>{out.size, 48}, seed);
      const StoredWeight bias(ElementType::float32, {out.size}, seed + 1);
      return Affine<Engine, Out>{weight, engine.matrix(weight->stored(), out, Hidden{48}),
                                 engine.vector(bias.stored(), out)};
    };
    const auto to_query = loaded(Queries{96}, 1);
    const auto to_key = loaded(KeyValues{keys}, 3);
    const auto to_value = loaded(KeyValues{keys}, 5);
    for (const Index rows : {1, 4, 7}) {
      const auto frame = engine.frame();
      const Operand<Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{48}, 7);
      const Operand<Engine, Tokens, Queries> query(engine, Tokens{rows}, Queries{96}, 8);
      const Operand<Engine, Tokens, KeyValues> key(engine, Tokens{rows}, KeyValues{keys}, 9);
      const Operand<Engine, Tokens, KeyValues> value(engine, Tokens{rows}, KeyValues{keys}, 10);
      matmul_qkv(engine, query.view(), key.view(), value.view(), x.input(), to_query, to_key,
                 to_value);
      const auto expect_alone = [&](const auto& found, const auto& to) {
        const auto alone = engine.template allocate<bfloat16>(Tokens{rows}, to.weight.out);
        matmul(engine, alone, x.input(), to.weight, to.bias);
        std::vector<float> numbers(static_cast<std::size_t>(alone.size()));
        engine.download(std::span(numbers), alone);
        EXPECT_EQ(found.found(), Numbers(numbers.begin(), numbers.end()))
            << rows << " rows, " << keys << " keys";
      };
      expect_alone(query, to_query);
      expect_alone(key, to_key);
      expect_alone(value, to_value);
    }
  }
}

constexpr Index width = 48;
constexpr Index inner = 80;

/// A language MLP, as it is stored and as an engine keeps it.
template <class B>
struct SmallMlp {
  explicit SmallMlp(B& engine)
      : gate_proj(engine.matrix(gate.stored(), Ffn{inner}, Hidden{width})),
        up_proj(engine.matrix(up.stored(), Ffn{inner}, Hidden{width})),
        down_proj(engine.matrix(down.stored(), Hidden{width}, Ffn{inner})) {}

  StoredWeight gate{ElementType::bfloat16, {inner, width}, 1};
  StoredWeight up{ElementType::bfloat16, {inner, width}, 2};
  StoredWeight down{ElementType::bfloat16, {width, inner}, 3};
  typename B::template Matrix<Ffn, Hidden> gate_proj;
  typename B::template Matrix<Ffn, Hidden> up_proj;
  typename B::template Matrix<Hidden, Ffn> down_proj;
};

/// y + down(silu(gate(x))·up(x)) in doubles that are rounded where the device rounds.
TYPED_TEST(Codes, GateAndUpAreOneStep) {
  using C = typename TypeParam::Code;
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  const SmallMlp<Engine> mlp(engine);
  for (const Index rows : {1, 3, 4, 6}) {
    const auto frame = engine.frame();
    const Operand<Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 4, 0, 0.3);
    const Operand<Engine, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{width}, 5);
    Numbers a = plain_matmul(x.values(), multiplied_codes<C>(mlp.gate, width, rows), {}, rows,
                             width, inner);
    const Numbers b =
        plain_matmul(x.values(), multiplied_codes<C>(mlp.up, width, rows), {}, rows, width, inner);
    for (std::size_t at = 0; at < a.size(); ++at) {
      const double z = rounded<bfloat16>(a[at]);
      a[at] =
          rounded<bfloat16>(rounded<bfloat16>(z / (1 + std::exp(-z))) * rounded<bfloat16>(b[at]));
    }
    Numbers expected =
        plain_matmul(a, multiplied_codes<C>(mlp.down, inner, rows), {}, rows, inner, width);
    const Numbers before = y.values();
    for (std::size_t at = 0; at < expected.size(); ++at) expected[at] += before[at];
    swiglu_mlp(engine, y.view(), x.input(), mlp.gate_proj, mlp.up_proj, mlp.down_proj);
    // The inner numbers, of order one, may round the other way: 80 of them move a sum.
    expect_close<bfloat16>(expected, y.found(), std::to_string(rows) + " rows",
                           {4 * 0x1p-8, tolerance<bfloat16>().relative});
  }
}

/// To the bit: of few rows in one kernel, of more one after another.
TYPED_TEST(Codes, TheLanguageMlpIsItsParts) {
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  const SmallMlp<Engine> mlp(engine);
  for (const Index rows : {1, 4, 6}) {
    const auto frame = engine.frame();
    const Operand<Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{width}, 4);
    const Operand<Engine, Tokens, Hidden> y(engine, Tokens{rows}, Hidden{width}, 5);
    const Operand<Engine, Tokens, Hidden> parts(engine, Tokens{rows}, Hidden{width}, 5);
    swiglu_mlp(engine, y.view(), x.input(), mlp.gate_proj, mlp.up_proj, mlp.down_proj);
    const auto a = engine.template allocate<bfloat16>(Tokens{rows}, Ffn{inner});
    const auto b = engine.template allocate<bfloat16>(Tokens{rows}, Ffn{inner});
    matmul(engine, a, x.input(), mlp.gate_proj);
    matmul(engine, b, x.input(), mlp.up_proj);
    swiglu(engine, a, b);
    matmul_add(engine, parts.view(), a, mlp.down_proj);
    EXPECT_EQ(y.found(), parts.found()) << rows << " rows";
  }
}

TYPED_TEST(Codes, ARowThatIsNotFiniteGivesNoNumbers) {
  using Engine = typename TypeParam::Engine;
  Engine& engine = this->backend;
  StoredWeight weight(ElementType::float32, {20, 32}, 1);
  auto* const numbers =
      reinterpret_cast<float*>(const_cast<std::byte*>(weight.stored().data));  // the test's own
  numbers[3 * 32 + 5] = NAN;
  numbers[7 * 32] = -HUGE_VALF;
  std::fill_n(numbers + 9 * 32, 32, 0.0F);
  std::fill_n(numbers + 11 * 32, 32, 1e-39F);
  const auto w = engine.matrix(weight.stored(), Ffn{20}, Hidden{32});
  for (const Index rows : {2, 6}) {
    const Operand<Engine, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{32}, 3);
    const Operand<Engine, Tokens, Ffn> y(engine, Tokens{rows}, Ffn{20}, 4);
    matmul(engine, y.view(), x.input(), w);
    const Numbers found = y.found();
    for (std::size_t at = 0; at < found.size(); ++at) {
      const std::size_t o = at % 20;
      EXPECT_EQ(std::isnan(found[at]), o == 3 || o == 7) << "output " << o;
      EXPECT_EQ(found[at] == 0, o == 9 || o == 11) << "output " << o;
    }
  }
}

template <class C>
class Panels : public ::testing::Test {};
using EachCode = ::testing::Types<std::int8_t, float8_e4m3>;
TYPED_TEST_SUITE(Panels, EachCode);

/// Bias, scales, residual and place, of few rows and of more in one panel and in three.
TYPED_TEST(Panels, AddToWhatIsThere) {
  constexpr Index in = 32;
  constexpr Index out = 300;
  constexpr Index margin = 2;
  const StoredWeight weight(ElementType::bfloat16, {out, in}, 1);
  const StoredWeight bias(ElementType::bfloat16, {out}, 2);
  std::vector<TypeParam> codes(out * in);
  cuda::Quantizer<TypeParam> quantizer(weight.stored(), out, in);
  quantizer(reinterpret_cast<std::byte*>(codes.data()), 0, out * in);
  WalkedWeights engine(1, cuda::Weights::full);
  for (const auto& [rows, most] :
       {std::pair{Index{3}, cuda::panel_numbers}, {6, cuda::panel_numbers}, {6, 128 * in}}) {
    const auto frame = engine.frame();
    const Operand<WalkedWeights, Tokens, Hidden> x(engine, Tokens{rows}, Hidden{in}, 3);
    const Operand<WalkedWeights, Tokens, Ffn> y(engine, Tokens{rows}, Ffn{out}, 4, margin);
    Numbers expected = plain_matmul(x.values(), multiplied_codes<TypeParam>(weight, in, rows),
                                    bias.values(), rows, in, out);
    const Numbers before = y.values();
    for (std::size_t at = 0; at < expected.size(); ++at) expected[at] += before[at];
    walked::coded_product(
        cuda::Product<bfloat16, TypeParam>{erase(y.view()), erase(x.input()), codes.data(),
                                           reinterpret_cast<const bfloat16*>(bias.stored().data),
                                           cuda::Into::add, quantizer.scales().data()},
        most);
    expect_close<bfloat16>(expected, y.found(), std::to_string(rows) + " rows", one_rounding);
  }
}

/// On a device: what an engine asks for once, and few outputs.
TEST(Weights, OfADeviceAskForTheirScratchOnce) {
  if (const auto missing = cuda::missing_device(); !missing.empty()) GTEST_SKIP() << missing;
  cuda::Engine<bfloat16> engine(1, cuda::Weights::fp8);
  const StoredWeight weight(ElementType::bfloat16, {64, 32}, 1);
  EXPECT_EQ(engine.matrix(weight.stored(), Ffn{15}, Hidden{32}).kept, cuda::Weights::full);
  engine.binding("model.layers.0.mlp.down_proj");
  EXPECT_EQ(engine.matrix(weight.stored(), Ffn{64}, Hidden{32}).kept, cuda::Weights::full);
  engine.binding("model.layers.1.mlp.down_proj");
  const auto w = engine.matrix(weight.stored(), Ffn{64}, Hidden{32});
  EXPECT_EQ(w.kept, cuda::Weights::fp8);
  EXPECT_NE(w.numbers<float8_e4m3>(), nullptr);
  std::size_t requests = 0;
  for (int pass = 0; pass < 3; ++pass) {
    const auto frame = engine.frame();
    const auto x = engine.allocate<bfloat16>(Tokens{9}, Hidden{32});
    const auto y = engine.allocate<bfloat16>(Tokens{9}, Ffn{64});
    matmul(engine, y, x, w);
    if (pass == 0) requests = engine.device().requests();
  }
  EXPECT_EQ(engine.device().requests(), requests);
}

}  // namespace
}  // namespace stamp::test
